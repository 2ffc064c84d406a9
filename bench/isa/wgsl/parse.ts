import { parseExpression, parsePostfix } from "./expressions.ts";
import type { Block, Case, Expression, Module, Parameter, SharedArray, Statement, WgslFunction } from "./syntax.ts";
import { Tokens } from "./tokens.ts";

/** Reads a kernel's text. Throws an Error that shows the words it cannot read. */
export function parseWgsl(text: string): Module {
  const tokens = new Tokens(text);
  const functions = new Map<string, WgslFunction>();
  const shared = new Map<string, SharedArray>();
  const constants = new Map<string, Expression>();
  const aliases = new Map<string, string>();
  let entry = "";
  let workgroupSize: Module["workgroupSize"] = [1, 1, 1];
  while (!tokens.done) {
    const attributes = parseAttributes(tokens);
    const word = tokens.next();
    if (word === "fn") {
      const name = tokens.next();
      functions.set(name, parseFunction(tokens));
      const size = attributes.get("workgroup_size");
      if (size === undefined) continue;
      entry = name;
      const [x = 1, y = 1, z = 1] = size.filter((part) => part !== ",").map((part) => Number.parseInt(part, 10));
      workgroupSize = [x, y, z];
    } else if (word === "var") parseModuleVariable(tokens, shared, aliases);
    else if (word === "const" || word === "override") parseConstant(tokens, constants);
    else if (word === "alias") {
      const name = tokens.next();
      tokens.expect("=");
      aliases.set(name, untilEnd(tokens).join(""));
    } else skipDeclaration(tokens, word);
  }
  return { functions, shared, constants, entry, workgroupSize };
}

/** `@name(words)` in front of a declaration. */
function parseAttributes(tokens: Tokens): Map<string, string[]> {
  const found = new Map<string, string[]>();
  while (tokens.take("@")) {
    const name = tokens.next();
    const words: string[] = [];
    if (tokens.take("(")) while (!tokens.take(")")) words.push(tokens.next());
    found.set(name, words);
  }
  return found;
}

/** Words up to the semicolon, which goes too. */
function untilEnd(tokens: Tokens): string[] {
  const words: string[] = [];
  while (!tokens.done && !tokens.take(";")) words.push(tokens.next());
  return words;
}

function skipDeclaration(tokens: Tokens, word: string): void {
  if (word !== "struct") {
    untilEnd(tokens);
    return;
  }
  while (tokens.next() !== "{" && !tokens.done);
  while (tokens.next() !== "}" && !tokens.done);
  tokens.take(";");
}

function parseModuleVariable(tokens: Tokens, shared: Map<string, SharedArray>, aliases: Map<string, string>): void {
  const space = tokens.template();
  const name = tokens.next();
  const type = untilEnd(tokens).join("").replace(/^:/, "");
  if (space[0] === "workgroup") shared.set(name, { elementBytes: elementBytes(type, aliases) });
}

/** Bytes of what one index of an array reaches. */
function elementBytes(type: string, aliases: ReadonlyMap<string, string>): number {
  const [, inner = type] = /^array<(.*?)(?:,[^<>]*)?>$/.exec(type) ?? [];
  const plain = aliases.get(inner) ?? inner;
  const vector = /^vec([234])(?:<(\w+)>|([fiuh]))$/.exec(plain);
  const scalar = vector ? (vector[2] ?? vector[3] ?? "") : plain;
  return (/^(?:f16|h)$/.test(scalar) ? 2 : 4) * (vector ? Number(vector[1]) : 1);
}

function parseConstant(tokens: Tokens, constants: Map<string, Expression>): void {
  const name = tokens.next();
  skipType(tokens);
  tokens.expect("=");
  constants.set(name, parseExpression(tokens));
  tokens.expect(";");
}

/** `: type` if it comes next. */
function skipType(tokens: Tokens): void {
  if (!tokens.take(":")) return;
  tokens.next();
  tokens.template();
}

function parseFunction(tokens: Tokens): WgslFunction {
  const parameters: Parameter[] = [];
  tokens.expect("(");
  while (!tokens.take(")")) {
    const builtin = parseAttributes(tokens).get("builtin")?.[0] ?? null;
    parameters.push({ name: tokens.next(), builtin });
    skipType(tokens);
    tokens.take(",");
  }
  if (tokens.take("->")) {
    parseAttributes(tokens);
    tokens.next();
    tokens.template();
  }
  return { parameters, body: parseBlock(tokens) };
}

function parseBlock(tokens: Tokens): Block {
  const body: Statement[] = [];
  tokens.expect("{");
  while (!tokens.take("}")) {
    if (tokens.take(";")) continue;
    body.push(parseStatement(tokens));
  }
  return body;
}

function parseStatement(tokens: Tokens): Statement {
  parseAttributes(tokens); // such as @diagnostic in front of a block
  switch (tokens.peek()) {
    case "{":
      return { kind: "block", body: parseBlock(tokens) };
    case "if":
      return parseIf(tokens);
    case "for":
    case "while":
    case "loop":
      return parseLoop(tokens);
    case "switch":
      return parseSwitch(tokens);
    default: {
      const statement = parseSimple(tokens);
      tokens.expect(";");
      return statement;
    }
  }
}

/** What stands between semicolons; in the head of a `for` too. */
function parseSimple(tokens: Tokens): Statement {
  const word = tokens.peek();
  if (word === "let" || word === "var" || word === "const") return parseDefinition(tokens);
  if (word === "break" || word === "continue") return { kind: tokens.next() as typeof word };
  if (tokens.take("return")) {
    return { kind: "return", value: tokens.peek() === ";" ? null : parseExpression(tokens) };
  }
  if (tokens.take("_")) {
    tokens.expect("=");
    return { kind: "call", call: parseExpression(tokens) };
  }
  tokens.take("*"); // what a pointer points to is the place all the same
  const target = parsePostfix(tokens);
  const operator = tokens.peek();
  if (operator === "++" || operator === "--") {
    tokens.next();
    return { kind: "assign", target, operator: operator.slice(1), value: { kind: "number", value: 1 } };
  }
  if (!/^[-+*/%&|^]?=$/.test(operator)) return { kind: "call", call: target };
  tokens.next();
  return { kind: "assign", target, operator: operator.slice(0, -1), value: parseExpression(tokens) };
}

function parseDefinition(tokens: Tokens): Statement {
  tokens.next();
  tokens.template();
  const name = tokens.next();
  skipType(tokens);
  return { kind: "define", name, value: tokens.take("=") ? parseExpression(tokens) : null };
}

function parseIf(tokens: Tokens): Statement {
  tokens.expect("if");
  const test = parseExpression(tokens);
  const then = parseBlock(tokens);
  if (!tokens.take("else")) return { kind: "if", test, then, otherwise: [] };
  return { kind: "if", test, then, otherwise: tokens.peek() === "if" ? [parseIf(tokens)] : parseBlock(tokens) };
}

function parseLoop(tokens: Tokens): Statement {
  const word = tokens.next();
  if (word === "loop") return { kind: "loop", first: null, test: null, step: null, body: parseBlock(tokens) };
  if (word === "while") {
    const test = parseExpression(tokens);
    return { kind: "loop", first: null, test, step: null, body: parseBlock(tokens) };
  }
  tokens.expect("(");
  const first = tokens.peek() === ";" ? null : parseSimple(tokens);
  tokens.expect(";");
  const test = tokens.peek() === ";" ? null : parseExpression(tokens);
  tokens.expect(";");
  const step = tokens.peek() === ")" ? null : parseSimple(tokens);
  tokens.expect(")");
  return { kind: "loop", first, test, step, body: parseBlock(tokens) };
}

function parseSwitch(tokens: Tokens): Statement {
  tokens.expect("switch");
  const value = parseExpression(tokens);
  const cases: Case[] = [];
  tokens.expect("{");
  while (!tokens.take("}")) {
    const selectors: Expression[] = [];
    if (!tokens.take("default")) {
      tokens.expect("case");
      while (!["{", ":"].includes(tokens.peek())) {
        selectors.push(parseExpression(tokens));
        tokens.take(",");
      }
    }
    tokens.take(":");
    cases.push({ selectors, body: parseBlock(tokens) });
  }
  return { kind: "switch", value, cases };
}
