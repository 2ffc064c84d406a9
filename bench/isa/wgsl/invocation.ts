import { Scope } from "./scope.ts";
import { LoopTexts } from "./shape-of-loops.ts";
import type { Block, Expression, Loop, Module, Statement } from "./syntax.ts";
import { builtinCall, combine, negate, swizzle, type Value } from "./values.ts";

type Index3 = readonly [x: number, y: number, z: number];

/** Which invocation of a dispatch runs, and what its uniform block holds. */
export interface Situation {
  readonly group: Index3;
  readonly groups: Index3;
  readonly local: Index3;
  /** Whole numbers of the uniform block by name. */
  readonly args: Readonly<Record<string, number>>;
}

/** One reading or writing of an array in workgroup memory. `at` is undefined where it depends on data. */
export interface Access {
  /** Where it stands in the text. */
  readonly site: Expression;
  readonly array: string;
  readonly at: number | undefined;
  readonly write: boolean;
  /** How often the invocation passes there. */
  readonly times: number;
  /** The innermost loop round it. */
  readonly loop: Loop | null;
}

type Ending = "next" | "break" | "continue" | { readonly value: Value };

/** What a loop's head tells. */
interface Head {
  /** Undefined where data decides. */
  readonly turns?: number | undefined;
  /** Puts the loop's variable where the last turn leaves it. */
  leave(): void;
}

const UNREAD: Head = { leave: () => {} };

/** Loops of so few turns are run turn by turn, since what is within may differ: taps of a convolution. */
const EVERY_TURN = 64;
/** No loop of ours comes near; one that does not end must not hang whoever asks. */
const MOST_TURNS = 1e6;

/**
 * Runs the integers of one invocation: control flow, indices, sizes. Whatever depends on tensors is unknown: an `if` on it runs
 * both branches. A loop's turns are counted by its head, and its body runs once for all turns where the turns are many.
 */
export class Invocation {
  /** Turns of innermost loops that are not unrolled, all together. */
  turns = 0;
  /** Loops whose number of turns depends on data; each counted as one turn. */
  unreadLoops = 0;
  readonly #module: Module;
  readonly #texts: LoopTexts;
  readonly #situation: Situation;
  readonly #onAccess: ((access: Access) => void) | null;
  #times = 1;
  #loop: Loop | null = null;

  /** Without `onAccess` bodies in which nothing loops are passed over. */
  constructor(
    module: Module,
    situation: Situation,
    options: { readonly texts?: LoopTexts; readonly onAccess?: (access: Access) => void } = {},
  ) {
    this.#module = module;
    this.#texts = options.texts ?? new LoopTexts(module, Number.MAX_VALUE);
    this.#situation = situation;
    this.#onAccess = options.onAccess ?? null;
  }

  run(): void {
    const { group, groups, local } = this.#situation;
    const { entry, workgroupSize, functions } = this.#module;
    const builtins: Readonly<Record<string, Value>> = {
      workgroup_id: group,
      num_workgroups: groups,
      local_invocation_id: local,
      local_invocation_index: local[0] + workgroupSize[0] * (local[1] + workgroupSize[1] * local[2]),
      global_invocation_id: group.map((g, axis) => g * (workgroupSize[axis] ?? 1) + (local[axis] ?? 0)),
    };
    const main = functions.get(entry);
    if (main === undefined) return;
    this.#callFunction(
      entry,
      main.parameters.map(({ builtin }) => (builtin === null ? undefined : builtins[builtin])),
    );
  }

  #callFunction(name: string, values: readonly Value[]): Value {
    const called = this.#module.functions.get(name);
    if (called === undefined) return builtinCall(name, values);
    const scope = new Scope(null);
    for (const [i, parameter] of called.parameters.entries()) scope.define(parameter.name, values[i]);
    const ending = this.#block(called.body, scope);
    return typeof ending === "object" ? ending.value : undefined;
  }

  #block(body: Block, scope: Scope): Ending {
    for (const statement of body) {
      const ending = this.#statement(statement, scope);
      if (ending !== "next") return ending;
    }
    return "next";
  }

  #statement(statement: Statement, scope: Scope): Ending {
    switch (statement.kind) {
      case "define":
        scope.define(statement.name, statement.value === null ? undefined : this.#value(statement.value, scope));
        return "next";
      case "assign":
        this.#assign(statement, scope);
        return "next";
      case "call":
        this.#value(statement.call, scope);
        return "next";
      case "block":
        return this.#block(statement.body, new Scope(scope));
      case "if":
        return this.#if(statement, scope);
      case "loop":
        return this.#runLoop(statement, scope);
      case "switch":
        return this.#switch(statement, scope);
      case "return":
        return { value: statement.value === null ? undefined : this.#value(statement.value, scope) };
      default:
        return statement.kind;
    }
  }

  #assign({ target, operator, value }: Statement & { readonly kind: "assign" }, scope: Scope): void {
    const right = this.#value(value, scope);
    if (target.kind === "name") {
      scope.set(target.name, operator === "" ? right : combine(operator, scope.get(target.name), right));
      return;
    }
    if (operator !== "") this.#value(target, scope);
    const place = target.kind === "member" ? target.of : target;
    if (place.kind !== "index") {
      if (place.kind === "name") scope.set(place.name, undefined);
      return;
    }
    this.#access(place, true, scope);
  }

  #if({ test, then, otherwise }: Statement & { readonly kind: "if" }, scope: Scope): Ending {
    const value = this.#value(test, scope);
    if (typeof value === "boolean") return this.#block(value ? then : otherwise, new Scope(scope));
    this.#block(then, new Scope(scope));
    this.#block(otherwise, new Scope(scope));
    return "next";
  }

  #switch({ value, cases }: Statement & { readonly kind: "switch" }, scope: Scope): Ending {
    const wanted = this.#value(value, scope);
    const chosen =
      cases.find(({ selectors }) => selectors.some((selector) => this.#value(selector, scope) === wanted)) ??
      cases.find(({ selectors }) => selectors.length === 0);
    const ending = chosen ? this.#block(chosen.body, new Scope(scope)) : "next";
    return ending === "break" ? "next" : ending;
  }

  #runLoop(loop: Loop, outer: Scope): Ending {
    const scope = new Scope(outer);
    if (loop.first) this.#statement(loop.first, scope);
    const round = this.#loop;
    this.#loop = loop;
    const ending = this.#turns(loop, scope);
    this.#loop = round;
    return typeof ending === "object" ? ending : "next";
  }

  #turns(loop: Loop, scope: Scope): Ending {
    const { fixed, steered, nested } = this.#texts.of(loop);
    if (steered) return this.#everyTurn(loop, scope);
    const head = this.#head(loop, scope);
    if (nested && head.turns !== undefined && head.turns <= EVERY_TURN) return this.#everyTurn(loop, scope);
    if (head.turns === undefined) this.unreadLoops++;
    const { turns = 1 } = head;
    if (!fixed && !nested) this.turns += turns * this.#times;
    const passed = turns === 0 || (!nested && this.#onAccess === null);
    const ending = passed ? "next" : this.#forTurns(turns, () => this.#block(loop.body, new Scope(scope)));
    head.leave();
    return ending;
  }

  #forTurns(turns: number, body: () => Ending): Ending {
    const times = this.#times;
    this.#times *= turns;
    const ending = body();
    this.#times = times;
    return ending;
  }

  #everyTurn(loop: Loop, scope: Scope): Ending {
    const { fixed, nested } = this.#texts.of(loop);
    const turns = fixed || nested ? 0 : this.#times;
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const goes = loop.test === null ? undefined : this.#value(loop.test, scope);
      if (goes === false) return "next";
      const ending = this.#block(loop.body, new Scope(scope));
      this.turns += turns;
      if (typeof ending === "object" || ending === "break") return ending;
      if (goes === undefined) break;
      if (loop.step) this.#statement(loop.step, scope);
    }
    this.unreadLoops++;
    return "next";
  }

  /** Counts turns by a loop's head alone, from where its variable stands. */
  #head({ test, step }: Loop, scope: Scope): Head {
    if (test === null || step?.kind !== "assign" || step.target.kind !== "name") return UNREAD;
    const { name } = step.target;
    const start = scope.get(name);
    let turns = 0;
    let goes = this.#value(test, scope);
    for (; goes === true && turns < MOST_TURNS; turns++) {
      this.#statement(step, scope);
      goes = this.#value(test, scope);
    }
    const end = scope.get(name);
    scope.set(name, start);
    return { turns: goes === false ? turns : undefined, leave: () => scope.set(name, end) };
  }

  #value(expression: Expression, scope: Scope): Value {
    switch (expression.kind) {
      case "number":
        return expression.value ?? undefined;
      case "name":
        return this.#named(expression.name, scope);
      case "unary":
        return negate(expression.operator, this.#value(expression.of, scope));
      case "binary":
        return combine(expression.operator, this.#value(expression.left, scope), this.#value(expression.right, scope));
      case "member":
        return this.#member(expression, scope);
      case "index":
        return this.#access(expression, false, scope);
      case "call":
        this.#wholeMatrix(expression);
        return this.#callFunction(
          expression.name,
          expression.values.map((value) => this.#value(value, scope)),
        );
    }
  }

  /** A matrix that goes to or from workgroup memory at once: which lane meets which place is the driver's affair. */
  #wholeMatrix(site: Expression & { readonly kind: "call" }): void {
    const way = /^subgroupMatrix(Load|Store)$/.exec(site.name)?.[1];
    const [from] = site.values;
    const array = from?.kind === "unary" && from.of.kind === "name" ? from.of.name : undefined;
    if (way === undefined || array === undefined || !this.#module.shared.has(array)) return;
    this.#onAccess?.({ site, array, at: undefined, write: way === "Store", times: this.#times, loop: this.#loop });
  }

  #named(name: string, scope: Scope): Value {
    if (scope.has(name)) return scope.get(name);
    if (name === "true" || name === "false") return name === "true";
    const constant = this.#module.constants.get(name);
    return constant === undefined ? undefined : this.#value(constant, new Scope(null));
  }

  #member({ of, name }: Expression & { readonly kind: "member" }, scope: Scope): Value {
    if (of.kind === "name" && of.name === "args" && !scope.has("args")) return this.#situation.args[name];
    return swizzle(this.#value(of, scope), name);
  }

  #access(site: Expression & { readonly kind: "index" }, write: boolean, scope: Scope): Value {
    const at = this.#value(site.at, scope);
    const array = site.of.kind === "name" && !scope.has(site.of.name) ? site.of.name : undefined;
    if (array === undefined || !this.#module.shared.has(array)) {
      const value = this.#value(site.of, scope);
      return Array.isArray(value) && typeof at === "number" ? (value[at] as Value) : undefined;
    }
    const place = typeof at === "number" ? at : undefined;
    this.#onAccess?.({ site, array, at: place, write, times: this.#times, loop: this.#loop });
    return undefined;
  }
}
