/**
 * Characters that a terminal obeys or hides instead of showing: C0 and C1 control characters (escape sequences begin with
 * one), DEL, marks that turn the direction of writing, characters without width, line and paragraph separators, tags. A name
 * that holds them could overwrite the line above, colour it, or read as another name.
 */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** The character as JavaScript would write it in a string: `\x1b`, `\u202e`, `\u{e0041}`. */
function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code < 0x100) return `\\x${digits.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${digits.padStart(4, "0")}` : `\\u{${digits}}`;
}

/** Text for a terminal: what cannot be seen is written as an escape. Line feeds stay; they part our own lines. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => (character === "\n" ? character : escaped(character)));
}

/** Text for one line of a terminal, such as a table's cell or a label: line feeds are escaped too. */
export function visibleInLine(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** JSON text with the same value in which nothing is unseen outside its own line feeds. */
export function visibleJson(json: string): string {
  return json.replace(UNSEEN, (character) => {
    if (character === "\n") return character;
    return Array.from({ length: character.length }, (_, at) => {
      return `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
    }).join("");
  });
}
