import { ShapeError } from "../../../errors.ts";
import { allWide, elementwise, read } from "../../shader/shader.ts";
import { FREE } from "../../trace/cost.ts";
import { defineOp, FIRST_ORDER, NO_MACS } from "../../trace/op.ts";
import { nhwc, type Shape } from "../../trace/shape.ts";
import {
  fromWindows,
  maximumAlong,
  maximumKernel,
  meanAlong,
  meanAlongGrad,
  type PoolSize,
  pooledAxes,
  type Windows,
  windowSizes,
} from "./kernels.ts";

function windowedShape(x: Shape, { kernel, stride, padding }: Windows): Shape {
  const { n, h, w, c } = nhwc("maxPool2d", "x", x);
  const along = (extent: number) => Math.floor((extent + 2 * padding - kernel) / stride) + 1;
  const [height, width] = [along(h), along(w)];
  if (!(height > 0 && width > 0 && 2 * padding <= kernel)) {
    throw new ShapeError(`maxPool2d: kernel ${kernel}, stride ${stride} and padding ${padding} do not fit x [${x}]`);
  }
  return [n, height, width, c];
}

interface FromWindows extends Windows {
  readonly x: Shape;
}

/** Each pixel looks at the windows it lies in and takes the gradient of those whose maximum it was. */
const maxPoolGrad = defineOp<FromWindows>()({
  name: "maxPool2dGrad",
  inputs: ["grad", "place"],
  shape: (_shapes, { x }) => x,
  epilogue: ["residual", "slope"],
  lower({ inputs: { grad, place }, out, attrs, target, epilogue }) {
    const wide = allWide(out);
    const here = "T(f32((row - y * args.stride) * args.kernel + column - x * args.stride))";
    return [
      fromWindows({
        label: "maxPool2dGrad",
        target,
        out,
        wide,
        tensors: { grad: read(grad, wide), place: read(place, wide) },
        sizes: windowSizes(attrs.x, grad.shape, attrs, wide),
        share: `select(T(0.0), grad_at(at), place_at(at) == ${here})`,
        epilogue,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

/** Pixels outside the image take no part. The gradient goes to the first maximum of each window, kept as extra0. */
export const maxPool2d = defineOp<Windows>()({
  name: "maxPool2d",
  inputs: ["x"],
  shape: ({ x }, attrs) => windowedShape(x, attrs),
  extra: ({ x }, attrs) => [windowedShape(x, attrs)],
  lower({ inputs: { x }, out, extra: [place = out], attrs, target }) {
    const wide = allWide(x);
    return [
      maximumKernel({
        label: "maxPool2d",
        target,
        out,
        place,
        wide,
        tensors: { x: read(x, wide) },
        sizes: windowSizes(x.shape, out.shape, attrs, wide),
        functions: "",
        body: `  let left = (i / args.c) % args.width * args.stride;
  let top = (i / args.c / args.width) % args.height * args.stride;
  let base = (i / args.c / args.width / args.height) * args.h;
  var best = T(-3.4028234e38);
  var place = T(0.0);
  for (var r = 0u; r < args.kernel; r++) {
    for (var s = 0u; s < args.kernel; s++) {
      // Above or left of the image the difference wraps round to something large.
      let y = top + r - args.padding;
      let x = left + s - args.padding;
      if (y < args.h && x < args.w) {
        let v = x_at(((base + y) * args.w + x) * args.c + i % args.c);
        place = select(place, T(f32(r * args.kernel + s)), v > best);
        best = max(best, v);
      }
    }
  }`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: ["extra0"],
    backward: (grad, { extra0 }, { shapes, attrs, exec }) => ({
      x: () => exec.apply(maxPoolGrad, { grad, place: extra0 }, { ...attrs, x: shapes.x }),
    }),
  },
});

function pooledShape(op: string, x: Shape, { height, width }: PoolSize): Shape {
  const { n, c } = nhwc(op, "x", x);
  if (!Number.isInteger(height) || !Number.isInteger(width) || height < 1 || width < 1) {
    throw new ShapeError(`${op}: x [${x}] cannot be pooled to ${height} x ${width} bins`);
  }
  return [n, height, width, c];
}

interface FromBins extends PoolSize {
  readonly x: Shape;
}

const adaptiveAverageGrad = defineOp<FromBins>()({
  name: "adaptiveAveragePool2dGrad",
  inputs: ["grad"],
  shape: (_shapes, { x }) => x,
  epilogue: ["residual", "slope"],
  lower({ inputs: { grad }, out, attrs, target, scratch, epilogue }) {
    const image = nhwc("adaptiveAveragePool2dGrad", "x", attrs.x);
    const [rows, columns] = pooledAxes(image, attrs);
    const between = scratch([image.n, image.h, attrs.width, image.c]);
    const call = { label: "adaptiveAveragePool2dGrad", target };
    return [
      meanAlongGrad({ ...call, epilogue: {} }, grad, between, columns),
      meanAlongGrad({ ...call, epilogue }, between, out, rows),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

export const adaptiveAveragePool2d = defineOp<PoolSize>()({
  name: "adaptiveAveragePool2d",
  inputs: ["x"],
  shape: ({ x }, attrs) => pooledShape("adaptiveAveragePool2d", x, attrs),
  lower({ inputs: { x }, out, attrs, target, scratch }) {
    const image = nhwc("adaptiveAveragePool2d", "x", x.shape);
    const [rows, columns] = pooledAxes(image, attrs);
    const between = scratch([image.n, image.h, attrs.width, image.c]);
    const label = "adaptiveAveragePool2d";
    return [meanAlong(label, target, x, between, rows), meanAlong(label, target, between, out, columns)];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: [],
    backward: (grad, _saved, { shapes, attrs, exec }) => ({
      x: () => exec.apply(adaptiveAverageGrad, { grad }, { ...attrs, x: shapes.x }),
    }),
  },
});

const adaptiveMaxGrad = defineOp<FromBins>()({
  name: "adaptiveMaxPool2dGrad",
  inputs: ["grad", "place"],
  shape: (_shapes, { x }) => x,
  lower({ inputs: { grad, place }, out, attrs, target }) {
    const { h, w, c } = nhwc("adaptiveMaxPool2dGrad", "x", attrs.x);
    const wide = allWide(out);
    return [
      elementwise({
        label: "adaptiveMaxPool2dGrad",
        target,
        out,
        wide,
        tensors: { grad: read(grad, wide), place: read(place, wide) },
        sizes: { h, w, c: c / (wide ? 4 : 1), height: attrs.height, width: attrs.width },
        body: `  let column = (i / args.c) % args.w;
  let row = (i / args.c / args.w) % args.h;
  let base = (i / args.c / args.w / args.h) * args.height;
  let bottom = ((row + 1u) * args.height + args.h - 1u) / args.h;
  let right = ((column + 1u) * args.width + args.w - 1u) / args.w;
  let here = T(f32(row * args.w + column));
  var total = T(0.0);
  for (var y = row * args.height / args.h; y < bottom; y++) {
    for (var x = column * args.width / args.w; x < right; x++) {
      let at = ((base + y) * args.width + x) * args.c + i % args.c;
      total += select(T(0.0), grad_at(at), place_at(at) == here);
    }
  }
  return total;`,
      }),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "computes",
  derivative: FIRST_ORDER,
});

/** The gradient goes to the first maximum of each bin, in reading order; its place is kept as extra0. */
export const adaptiveMaxPool2d = defineOp<PoolSize>()({
  name: "adaptiveMaxPool2d",
  inputs: ["x"],
  shape: ({ x }, attrs) => pooledShape("adaptiveMaxPool2d", x, attrs),
  extra: ({ x }, attrs) => [pooledShape("adaptiveMaxPool2d", x, attrs)],
  lower({ inputs: { x }, out, extra: [place = out], attrs, target, scratch }) {
    const image = nhwc("adaptiveMaxPool2d", "x", x.shape);
    const [rows, columns] = pooledAxes(image, attrs);
    const between = [image.n, image.h, attrs.width, image.c];
    const along = { out: scratch(between), place: scratch(between) };
    return [
      maximumAlong(target, x, null, along, rows),
      maximumAlong(target, along.out, { column: along.place, width: image.w }, { out, place }, columns),
    ];
  },
  macs: NO_MACS,
  cost: FREE,
  half: "moves",
  derivative: {
    saves: ["extra0"],
    backward: (grad, { extra0 }, { shapes, attrs, exec }) => ({
      x: () => exec.apply(adaptiveMaxGrad, { grad, place: extra0 }, { ...attrs, x: shapes.x }),
    }),
  },
});
