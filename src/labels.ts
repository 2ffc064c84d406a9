/** The label of pixels that take part in neither loss nor metrics, in masks and in label maps. */
export const IGNORE_LABEL = 255;
