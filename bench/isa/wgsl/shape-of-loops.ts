import type { Block, Expression, Loop, Module, Statement } from "./syntax.ts";

/** What a loop's text alone tells, found once for each loop. */
export interface LoopFacts {
  /** The compiler unrolls it: its number of turns stands in the text. */
  readonly fixed: boolean;
  /** The body changes what the test looks at, so that turns cannot be counted without running it. */
  readonly steered: boolean;
  /** Some loop that is kept runs within. */
  readonly nested: boolean;
}

/** The facts of a module's loops. */
export class LoopTexts {
  readonly #module: Module;
  readonly #unrolled: number;
  readonly #facts = new Map<Loop, LoopFacts>();

  /** Loops whose number of turns is fixed in the text are none to the machine, up to `unrolled` turns. */
  constructor(module: Module, unrolled: number) {
    this.#module = module;
    this.#unrolled = unrolled;
  }

  /** How deep loops lie in each other. */
  get depth(): number {
    const main = this.#module.functions.get(this.#module.entry);
    return main === undefined ? 0 : this.#depthOf(main.body);
  }

  of(loop: Loop): LoopFacts {
    const known = this.#facts.get(loop);
    if (known) return known;
    const facts = { fixed: this.#isNone(loop), steered: isSteered(loop), nested: this.#depthOf(loop.body) > 0 };
    this.#facts.set(loop, facts);
    return facts;
  }

  #isNone(loop: Loop): boolean {
    return fixedTurns(loop) <= this.#unrolled;
  }

  #depthOf(body: Block): number {
    return Math.max(0, ...body.map((statement) => this.#depthOfStatement(statement)));
  }

  #depthOfStatement(statement: Statement): number {
    const within = Math.max(0, ...blocksOf(statement).map((block) => this.#depthOf(block)));
    if (statement.kind === "loop") return within + (this.#isNone(statement) ? 0 : 1);
    return Math.max(within, this.#depthOfCalls(statement));
  }

  /** Loops of the module's functions that a statement calls. */
  #depthOfCalls(statement: Statement): number {
    const called = expressionsOf(statement).flatMap(callsIn);
    return Math.max(0, ...called.map((name) => this.#depthOf(this.#module.functions.get(name)?.body ?? [])));
  }
}

/** Turns of `for (var i = 0u; i < 8u; i++)`; infinitely many where they are not in the text. */
function fixedTurns({ first, test, step }: Loop): number {
  const start = first?.kind === "define" ? numberOf(first.value) : undefined;
  const end = test?.kind === "binary" ? numberOf(test.right) : undefined;
  const by = step?.kind === "assign" ? numberOf(step.value) : undefined;
  if (start === undefined || end === undefined || by === undefined) return Number.POSITIVE_INFINITY;
  return Math.ceil(Math.abs(end - start) / by);
}

const numberOf = (expression: Expression | null): number | undefined =>
  expression?.kind === "number" ? (expression.value ?? undefined) : undefined;

/** Whether invocations of a workgroup meet within some loop of `main`. */
export function meetsInLoops({ functions, entry }: Module): boolean {
  const meets = (body: Block): boolean =>
    body.some(
      (statement) =>
        (statement.kind === "call" && callsIn(statement.call).includes("workgroupBarrier")) ||
        blocksOf(statement).some(meets),
    );
  const loops = (body: Block): boolean =>
    body.some((statement) => (statement.kind === "loop" ? meets(statement.body) : blocksOf(statement).some(loops)));
  return loops(functions.get(entry)?.body ?? []);
}

function isSteered({ test, body, step, first }: Loop): boolean {
  if (test === null || step === null) return true;
  const own = first?.kind === "define" ? [first.name] : [];
  const looked = new Set([...namesIn(test), ...own]);
  return assignedIn(body).some((name) => looked.has(name));
}

function assignedIn(body: Block): string[] {
  return body.flatMap((statement) => [
    ...(statement.kind === "assign" && statement.target.kind === "name" ? [statement.target.name] : []),
    ...(statement.kind === "loop" ? assignedIn([...parts(statement)]) : []),
    ...blocksOf(statement).flatMap(assignedIn),
  ]);
}

const parts = ({ first, step }: Loop): Statement[] => [first, step].filter((part) => part !== null);

/** The blocks that a statement is made of. */
export function blocksOf(statement: Statement): readonly Block[] {
  switch (statement.kind) {
    case "if":
      return [statement.then, statement.otherwise];
    case "switch":
      return statement.cases.map(({ body }) => body);
    case "loop":
    case "block":
      return [statement.body];
    default:
      return [];
  }
}

function expressionsOf(statement: Statement): readonly Expression[] {
  switch (statement.kind) {
    case "define":
    case "return":
      return statement.value === null ? [] : [statement.value];
    case "assign":
      return [statement.target, statement.value];
    case "call":
      return [statement.call];
    case "if":
      return [statement.test];
    default:
      return [];
  }
}

function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "unary":
    case "member":
      return [expression.of];
    case "binary":
      return [expression.left, expression.right];
    case "index":
      return [expression.of, expression.at];
    case "call":
      return expression.values;
    default:
      return [];
  }
}

const callsIn = (expression: Expression): string[] => [
  ...(expression.kind === "call" ? [expression.name] : []),
  ...partsOf(expression).flatMap(callsIn),
];

const namesIn = (expression: Expression): string[] => [
  ...(expression.kind === "name" ? [expression.name] : []),
  ...partsOf(expression).flatMap(namesIn),
];
