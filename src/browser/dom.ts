/** What an element is given: attributes by name (true sets an empty one, false and undefined none), and listeners. */
interface Given {
  readonly attributes?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly on?: Readonly<Record<string, (event: Event) => void>>;
}

/** A child: an element, or text that is shown as it is, whatever it contains. */
type Child = Node | string | number;

/**
 * An element with attributes, listeners and children. Text never becomes markup, so that names of files, classes and runs,
 * which strangers choose, can be shown.
 */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  { attributes = {}, on = {} }: Given = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

/** The element of the page with this id. Throws where the page has none: its HTML and its script do not belong together. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}
