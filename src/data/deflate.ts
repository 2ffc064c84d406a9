/** How far DEFLATE can shrink data at most: what a header announces beyond it is not there. */
export const DEFLATE_RATIO = 1032;
