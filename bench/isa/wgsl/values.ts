/** An integer, a truth value, or a vector of them; undefined where only the running kernel knows. */
export type Value = number | boolean | readonly Value[] | undefined;

type Arithmetic = (a: number, b: number) => number | boolean;

/** Integers only: a number with a fraction is unknown to whoever uses these. */
const OPERATORS: Readonly<Record<string, Arithmetic>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => (b === 0 ? a : Math.trunc(a / b)),
  "%": (a, b) => (b === 0 ? 0 : a % b),
  "&": (a, b) => (a & b) >>> 0,
  "|": (a, b) => (a | b) >>> 0,
  "^": (a, b) => (a ^ b) >>> 0,
  "<<": (a, b) => (a << b) >>> 0,
  ">>": (a, b) => (a < 0 ? a >> b : a >>> b),
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

/** A binary operator on known values, lane by lane where one is a vector. */
export function combine(operator: string, left: Value, right: Value): Value {
  if (operator === "&&" || operator === "||") return logical(operator, left, right);
  if (isVector(left) || isVector(right)) {
    const length = isVector(left) ? left.length : isVector(right) ? right.length : 0;
    return Array.from({ length }, (_, i) => combine(operator, laneOf(left, i), laneOf(right, i)));
  }
  if (typeof left === "boolean" && typeof right === "boolean") return logical(operator, left, right);
  return typeof left === "number" && typeof right === "number" ? OPERATORS[operator]?.(left, right) : undefined;
}

function logical(operator: string, left: Value, right: Value): Value {
  const decides = operator === "||" || operator === "|";
  if (left === decides || right === decides) return decides;
  return typeof left === "boolean" && typeof right === "boolean" ? left && right !== decides : undefined;
}

const isVector = (value: Value): value is readonly Value[] => Array.isArray(value);

const laneOf = (value: Value, lane: number): Value => (isVector(value) ? value[lane] : value);

export function negate(operator: string, value: Value): Value {
  if (isVector(value)) return value.map((lane) => negate(operator, lane));
  if (operator === "!") return typeof value === "boolean" ? !value : undefined;
  if (typeof value !== "number") return undefined;
  return operator === "-" ? -value : operator === "~" ? ~value >>> 0 : undefined;
}

const LANES = { x: 0, y: 1, z: 2, w: 3, r: 0, g: 1, b: 2, a: 3 } as const;

/** `.x`, `.xy` of a vector. */
export function swizzle(value: Value, name: string): Value {
  if (!isVector(value) || !/^[xyzwrgba]{1,4}$/.test(name)) return undefined;
  const picked = [...name].map((letter) => value[LANES[letter as keyof typeof LANES]]);
  return picked.length === 1 ? picked[0] : picked;
}

/** What WGSL's own functions make of known values; undefined where they are of no use for integers. */
export function builtinCall(name: string, values: readonly Value[]): Value {
  const [first, second, third] = values;
  const vector = /^vec([234])[ui]?$/.exec(name);
  if (vector) {
    const flat = values.flatMap((value) => (isVector(value) ? value : [value]));
    return flat.length === 1 ? Array.from({ length: Number(vector[1]) }, () => flat[0]) : flat;
  }
  switch (name) {
    case "u32":
    case "i32":
      return typeof first === "boolean" ? Number(first) : first;
    case "min":
    case "max":
      return extreme(name, first, second);
    case "clamp":
      return extreme("min", extreme("max", first, second), third);
    case "select":
      return typeof third === "boolean" ? (third ? second : first) : undefined;
    // Of what all lanes of a subgroup have alike.
    case "subgroupBroadcastFirst":
      return first;
    case "abs":
      return typeof first === "number" ? Math.abs(first) : undefined;
    default:
      return undefined;
  }
}

function extreme(name: "min" | "max", left: Value, right: Value): Value {
  if (isVector(left) && isVector(right)) return left.map((lane, i) => extreme(name, lane, right[i]));
  return typeof left === "number" && typeof right === "number" ? Math[name](left, right) : undefined;
}
