/** What a page's script carries of the page it stands in: `svanet export web` writes it, the script reads it. */
export interface PageManifest {
  /** The page's heading. */
  readonly title: string;
  /** The version of svanet that wrote the page. */
  readonly version: string;
  readonly weights: {
    /** Beside the page. */
    readonly file: string;
    readonly bytes: number;
    /** SHA-256 of the file, hexadecimal: a page with other weights than it was written with says so. */
    readonly sha256: string;
  };
  /** Sides of the pictures that the network was trained on, in pixels. */
  readonly size: { readonly width: number; readonly height: number };
  /** Pictures to try, beside the page. */
  readonly examples: readonly string[];
}

/** What its service worker carries: the files to keep for use without a network, under a name that changes with them. */
export interface PageCache {
  readonly name: string;
  readonly files: readonly string[];
}

/**
 * What the names of a page's caches begin with; `folder` is the page's address without its file. Other pages of the same origin
 * have caches too, which are not this page's to drop.
 */
export const cachePrefix = (folder: string): string => `svanet ${folder} `;
