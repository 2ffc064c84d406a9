/** A brightness field that pictures are painted on: 0 black, 1 white, pixel centres at whole coordinates. */
export class Field {
  readonly side: number;
  readonly values: Float64Array;

  constructor(side: number) {
    this.side = side;
    this.values = new Float64Array(side * side);
  }

  /** Adds amount(x, y) to every pixel within `reach` of (centreX, centreY). */
  add(centreX: number, centreY: number, reach: number, amount: (x: number, y: number) => number): void {
    const { side, values } = this;
    const from = (centre: number) => Math.max(0, Math.floor(centre - reach));
    const to = (centre: number) => Math.min(side - 1, Math.ceil(centre + reach));
    for (let y = from(centreY); y <= to(centreY); y++) {
      for (let x = from(centreX); x <= to(centreX); x++) {
        values[y * side + x] = (values[y * side + x] ?? 0) + amount(x, y);
      }
    }
  }

  /** A round cloud: Gaussian with standard deviation `sigma`. */
  addCloud(x: number, y: number, sigma: number, height: number): void {
    this.add(x, y, 3.5 * sigma, (px, py) => height * Math.exp(-((px - x) ** 2 + (py - y) ** 2) / (2 * sigma * sigma)));
  }

  /** A soft ring: Gaussian profile of standard deviation `sigma` across radius `radius`. */
  addRing(x: number, y: number, radius: number, sigma: number, height: number): void {
    this.add(x, y, radius + 3.5 * sigma, (px, py) => {
      const off = Math.hypot(px - x, py - y) - radius;
      return height * Math.exp(-(off * off) / (2 * sigma * sigma));
    });
  }

  /** Random values on a coarse grid, smoothly interpolated: mottling with patches of `patch` pixels. */
  addMottle(patch: number, height: number, draw: () => number): void {
    const cells = Math.ceil(this.side / patch) + 2;
    const grid = Float64Array.from({ length: cells * cells }, draw);
    const ease = (t: number) => t * t * (3 - 2 * t);
    this.add(0, 0, 2 * this.side, (x, y) => {
      const [column, row] = [Math.floor(x / patch), Math.floor(y / patch)];
      const [right, down] = [ease(x / patch - column), ease(y / patch - row)];
      const at = (r: number, c: number) => grid[(row + r) * cells + column + c] ?? 0;
      const upper = at(0, 0) * (1 - right) + at(0, 1) * right;
      const lower = at(1, 0) * (1 - right) + at(1, 1) * right;
      return height * (upper * (1 - down) + lower * down);
    });
  }
}
