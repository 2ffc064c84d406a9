/**
 * A network with a border class has one output more than its data set has classes, the last: "this pixel is an object's, and
 * another object is near" (Caicedo et al., Cytometry A 95, 2019: background, interior, boundary). Masks and scores know the data
 * set's classes alone. So a border's probability goes to the objects here, and where it was is kept for parting them.
 */

/**
 * Gives the border's probability to the foreground classes, each in proportion to its own (evenly where all are 0). `scores` are
 * `[pixels, classes + 1]`, the border last; they are changed and come back as the probabilities of the `classes`, which again add up
 * to what all did, and, last, the border's, which is now a part of the foreground's. Means of these are the means over networks and views.
 */
export function foldBorders(scores: Float32Array, classes: number): Float32Array {
  for (let at = 0; at < scores.length; at += classes + 1) {
    const border = scores[at + classes] ?? 0;
    let interior = 0;
    for (let c = 1; c < classes; c++) interior += scores[at + c] ?? 0;
    for (let c = 1; c < classes; c++) {
      const own = scores[at + c] ?? 0;
      scores[at + c] = own + border * (interior > 0 ? own / interior : 1 / (classes - 1));
    }
  }
  return scores;
}

/** The probabilities `[pixels, classes]` of folded scores. */
export function withoutBorder(folded: Float32Array, classes: number): Float32Array {
  const out = new Float32Array((folded.length / (classes + 1)) * classes);
  for (let from = 0, to = 0; from < folded.length; from += classes + 1, to += classes) {
    out.set(folded.subarray(from, from + classes), to);
  }
  return out;
}

/** Marks, from place `first` of `borders` on, the pixels of folded scores where more than half of the foreground is border. */
export function markBorders(folded: Float32Array, classes: number, borders: Uint8Array, first = 0): void {
  for (let from = 0, place = first; from < folded.length; from += classes + 1, place++) {
    let foreground = 0;
    for (let c = 1; c < classes; c++) foreground += folded[from + c] ?? 0;
    borders[place] = 2 * (folded[from + classes] ?? 0) > foreground ? 1 : 0;
  }
}
