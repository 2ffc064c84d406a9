import type { Expression } from "./syntax.ts";
import type { Tokens } from "./tokens.ts";

/** Names after which "<" opens a template and is no comparison. */
const TEMPLATED = /^(?:vec[234]|mat[234]x[234]|array|atomic|ptr|bitcast|subgroup_matrix\w*|subgroupMatrix\w*)$/;

/** Operators from the loosest to the tightest. */
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];

export function parseExpression(tokens: Tokens, level = 0): Expression {
  const operators = LEVELS[level];
  if (operators === undefined) return parseUnary(tokens);
  let left = parseExpression(tokens, level + 1);
  for (;;) {
    const operator = operatorAt(tokens);
    if (!operators.includes(operator)) return left;
    for (let i = 0; i < (operator === ">>" ? 2 : 1); i++) tokens.next();
    left = { kind: "binary", operator, left, right: parseExpression(tokens, level + 1) };
  }
}

function operatorAt(tokens: Tokens): string {
  return tokens.peek() === ">" && tokens.peek(1) === ">" ? ">>" : tokens.peek();
}

function parseUnary(tokens: Tokens): Expression {
  const operator = tokens.peek();
  if (!["-", "!", "~", "*", "&"].includes(operator)) return parsePostfix(tokens);
  tokens.next();
  return { kind: "unary", operator, of: parseUnary(tokens) };
}

export function parsePostfix(tokens: Tokens): Expression {
  let of = parsePrimary(tokens);
  for (;;) {
    if (tokens.take(".")) of = { kind: "member", of, name: tokens.next() };
    else if (tokens.take("[")) {
      of = { kind: "index", of, at: parseExpression(tokens) };
      tokens.expect("]");
    } else return of;
  }
}

function parsePrimary(tokens: Tokens): Expression {
  if (tokens.take("(")) {
    const inner = parseExpression(tokens);
    tokens.expect(")");
    return inner;
  }
  const word = tokens.next();
  if (/^[\d.]/.test(word)) return { kind: "number", value: wholeNumber(word) };
  if (TEMPLATED.test(word)) tokens.template();
  if (!tokens.take("(")) return { kind: "name", name: word };
  const values: Expression[] = [];
  while (!tokens.take(")")) {
    values.push(parseExpression(tokens));
    tokens.take(",");
  }
  return { kind: "call", name: word, values };
}

function wholeNumber(word: string): number | null {
  if (/^0[xX]/.test(word)) return Number.parseInt(word.slice(2), 16);
  return /^\d+[ui]?$/.test(word) ? Number.parseInt(word, 10) : null;
}
