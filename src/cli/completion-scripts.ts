import type { CompletionOption, CompletionPlace } from "./completion-words.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/**
 * A script that completes `svanet` in a shell: all words are in it, so that no process starts at a press of Tab. What takes a
 * file, or any value, is left to the shell's own completion of files.
 */
export function completionScript(shell: Shell, places: readonly CompletionPlace[]): string {
  return { bash, zsh, fish }[shell](places);
}

const header = (shell: Shell): string => `# Completion of svanet for ${shell}, written by: svanet completion ${shell}`;

/** One word of a script, whatever it holds. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const quotedAll = (texts: readonly string[]): string => texts.map(quoted).join(" ");

/** Options whose value is one of few, each with the place it stands at. */
function valued(places: readonly CompletionPlace[], keep: (option: CompletionOption) => boolean) {
  return places.flatMap(({ path, options }) => options.filter(keep).map((option) => ({ path, ...option })));
}

const isChoice = ({ values }: CompletionOption): boolean => values.length > 0;
const isFree = ({ takesValue, values }: CompletionOption): boolean => takesValue && values.length === 0;

/** The paths of all commands as patterns of a `case`. */
const paths = (places: readonly CompletionPlace[]): string =>
  places.flatMap(({ path }) => (path === "" ? [] : [quoted(path)])).join(" | ");

function bash(places: readonly CompletionPlace[]): string {
  const choices = valued(places, isChoice).map(
    ({ path, flag, values }) => `    ${quoted(`${path} ${flag}`)}) words=${quoted(values.join(" "))} ;;`,
  );
  const free = valued(places, isFree).map(({ path, flag }) => quoted(`${path} ${flag}`));
  const words = places.map(({ path, commands, options, argument }) => {
    const flags = quoted(options.map(({ flag }) => flag).join(" "));
    const names = [...commands.map(({ name }) => name), ...argument];
    return `    ${quoted(path)}) flags=${flags} words=${quoted(names.join(" "))} ;;`;
  });
  return `${header("bash")}
_svanet() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}"
  local place='' word words='' flags=''
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    case "$place/$word" in
      ${paths(places)}) place="$place/$word" ;;
    esac
  done
  if [[ $current == '=' ]]; then current=''; elif [[ $before == '=' ]]; then before="\${COMP_WORDS[COMP_CWORD - 2]}"; fi
  case "$place $before" in
${choices.join("\n")}
    ${free.join(" | ")}) return ;;
  esac
  if [[ -z $words ]]; then
    case "$place" in
${words.map((line) => `  ${line}`).join("\n")}
    esac
    if [[ $current == -* ]]; then words="$flags"; fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _svanet svanet
`;
}

function zsh(places: readonly CompletionPlace[]): string {
  const described = (name: string, help: string): string => quoted(`${name.replaceAll(":", "\\:")}:${help}`);
  const choices = valued(places, isChoice).map(
    ({ path, flag, values }) => `    ${quoted(`${path} ${flag}`)}) compadd -- ${quotedAll(values)}; return ;;`,
  );
  const free = valued(places, isFree).map(({ path, flag }) => quoted(`${path} ${flag}`));
  const words = places.map(({ path, commands, options, argument }) => {
    const names = [...commands.map(({ name, help }) => described(name, help)), ...argument.map(quoted)];
    const flags = options.map(({ flag, help }) => described(flag, help));
    return `    ${quoted(path)})\n      names=(${names.join(" ")})\n      flags=(${flags.join(" ")}) ;;`;
  });
  return `#compdef svanet
${header("zsh")}
_svanet() {
  local place='' word
  local -a names flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place/$word" in
      ${paths(places)}) place="$place/$word" ;;
    esac
  done
  case "$place \${words[CURRENT-1]}" in
${choices.join("\n")}
    ${free.join(" | ")}) _files; return ;;
  esac
  case "$place" in
${words.join("\n")}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe -o option flags
  elif (( \${#names} )); then _describe command names
  else _files
  fi
}
if [[ \${funcstack[1]} == _svanet ]]; then _svanet "$@"; else compdef _svanet svanet; fi
`;
}

function fish(places: readonly CompletionPlace[]): string {
  const lines = places.flatMap(({ path, commands, options, argument }) => {
    const at = `complete -c svanet -n ${quoted(`__svanet_at "${path}"`)}`;
    return [
      ...commands.map(({ name, help }) => `${at} -f -a ${fishQuoted(name)} -d ${fishQuoted(help)}`),
      ...argument.map((name) => `${at} -f -a ${fishQuoted(name)}`),
      ...options.map(({ flag, help, takesValue, values }) => {
        const value = values.length > 0 ? ` -x -a ${fishQuoted(values.join(" "))}` : takesValue ? " -r" : "";
        return `${at} -l ${flag.slice(2)}${value} -d ${fishQuoted(help)}`;
      }),
    ];
  });
  const known = places.flatMap(({ path }) => (path === "" ? [] : [path]));
  return `${header("fish")}
function __svanet_at
  set -l place ''
  for word in (commandline -opc)[2..-1]
    if contains -- "$place/$word" ${known.join(" ")}
      set place "$place/$word"
    end
  end
  test "$place" = "$argv[1]"
end
${lines.join("\n")}
`;
}

/** Fish escapes quotes within single quotes otherwise than other shells. */
const fishQuoted = (text: string): string => `'${text.replace(/[\\']/g, (mark) => `\\${mark}`)}'`;
