import { DataError } from "../../../errors.ts";
import type { PreparationPlan, SetKind, Settings } from "../plan.ts";
import type { LayoutName } from "../set-names.ts";
import { RawTree } from "./raw-tree.ts";

/** Whether a folder is of a layout. */
export type Recognition =
  | {
      readonly is: true;
      /** The folder of the layout inside the raw folder; "" is the raw folder itself. */
      readonly root: string;
      /** What shows it, a clause: `dataset.json names channels, imagesTr/ and labelsTr/ are there`. */
      readonly evidence: string;
    }
  | {
      readonly is: false;
      /** How near it comes, 0 to 1. */
      readonly likeness: number;
      /** What differs, a clause that names the file, and the line where there is one. */
      readonly differs: string;
    };

/** A way in which people's images and labels lie. */
export interface Layout {
  readonly name: LayoutName;
  /** As people call it: `nnU-Net`. */
  readonly title: string;
  /** One line for the help. */
  readonly summary: string;
  /** What the folder must hold, for the message of one that does not. */
  readonly expected: string;
  /** Looks at names, and at the head of few files. */
  recognise(tree: RawTree): Promise<Recognition>;
  /** A file without which a folder is of this layout only for those who name it; undefined where there is none. */
  sign?(tree: RawTree): string | undefined;
  /** As {@link SetKind.plan}, of a folder that was recognised. */
  plan(tree: RawTree, root: string, settings: Settings, workers: number): Promise<PreparationPlan>;
}

export const unlike = (likeness: number, differs: string): Recognition => ({ is: false, likeness, differs });
export const like = (root: string, evidence: string): Recognition => ({ is: true, root, evidence });

/** `a, b, c and 4 more`. */
export function someOf(names: readonly string[], count = 3): string {
  return names.slice(0, count).join(", ") + (names.length > count ? ` and ${names.length - count} more` : "");
}

/** `1 picture`, `2 pictures`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** A layout as a kind that someone names: what differs is an error then. */
export function namedKind(layout: Layout): SetKind {
  return {
    name: layout.name,
    summary: layout.summary,
    async plan(raw, settings, workers) {
      const tree = await RawTree.read(raw);
      const found = await layout.recognise(tree);
      if (found.is) return layout.plan(tree, found.root, settings, workers);
      throw new DataError(
        `${raw}: this does not look like ${layout.title}: ${found.differs}. Expected: ${layout.expected}. Found: ${contentText(tree)}`,
      );
    },
  };
}

/** The first names of a folder, to show what was looked at. */
export function contentText({ files, folders }: RawTree): string {
  const names = [...folders.map((name) => `${name}/`), ...files].filter(
    (name) => !name.replace(/\/$/, "").includes("/"),
  );
  return names.length === 0 ? "nothing" : someOf(names, 8);
}
