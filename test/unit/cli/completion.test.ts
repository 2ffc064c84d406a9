import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { completionScript, SHELLS, type Shell } from "../../../src/cli/completion-scripts.ts";
import { type CompletionPlace, completionPlaces } from "../../../src/cli/completion-words.ts";
import { leavesOf, wholeProgram } from "../../../src/cli/whole-program.ts";
import { TRAIN_FIELDS } from "../../../src/experiment/settings/config.ts";

let places: readonly CompletionPlace[];
let script: Readonly<Record<Shell, string>>;
beforeAll(async () => {
  places = completionPlaces(await wholeProgram());
  const texts = SHELLS.map((shell) => [shell, completionScript(shell, places)] as const);
  script = Object.fromEntries(texts) as Record<Shell, string>;
}, 120_000);

const folder = mkdtempSync(join(tmpdir(), "svanet-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(shell: Shell): string {
  const path = join(folder, shell);
  writeFileSync(path, script[shell]);
  return path;
}

/** What bash itself offers behind each line, the last word of which is being typed. */
function offered(...lines: readonly string[]): string[][] {
  const asks = lines.map((line) => {
    const words = line.split(" ").map((word) => `'${word}'`);
    return `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; _svanet; echo "\${COMPREPLY[*]}"`;
  });
  const { status, stdout, stderr } = spawnSync("bash", ["--norc", "-c", `${script.bash}\n${asks.join("\n")}`], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split(" ").filter((word) => word !== ""));
}

test("bash offers commands, options and values at their places, and leaves files to itself", () => {
  const [commands, below, flag, choice, equals, file, folder, shells, deep] = offered(
    "svanet ",
    "svanet data ",
    "svanet train --data x --enc",
    "svanet eval runs/first --split t",
    "svanet train --recipe = p",
    "svanet train --config ",
    "svanet eval ",
    "svanet completion ",
    "svanet --debug data prepare auto --ma",
  );
  expect(commands).toEqual(COMMANDS.map(({ name }) => name));
  expect(below).toEqual(["prepare", "verify", "stats", "synth"]);
  expect(flag).toEqual(["--encoder", "--encoder-rate"]);
  expect(choice).toEqual(["train", "test"]);
  expect(equals).toEqual(["paper"]);
  expect([file, folder]).toEqual([[], []]);
  expect(shells).toEqual(["bash", "zsh", "fish"]);
  expect(deep).toEqual(["--map"]);
});

test("every option of every command is in every script", async () => {
  const leaves = leavesOf(await wholeProgram());
  const train = places.find(({ path }) => path === "/train");
  expect(train?.options.length).toBeGreaterThan(TRAIN_FIELDS.length);
  for (const [path, command] of leaves) {
    const place = places.find((one) => one.path === `/${path.replaceAll(" ", "/")}`);
    const flags = place?.options.map(({ flag }) => flag) ?? [];
    expect(flags, path).toEqual([...command.options.map(({ long }) => long), "--help"]);
    for (const flag of flags) {
      expect(script.bash).toContain(flag);
      expect(script.zsh).toContain(`'${flag}:`);
      expect(script.fish).toContain(` -n '__svanet_at "${place?.path}"' -l ${flag.slice(2)} `);
    }
  }
});

test("the scripts are right to their shells, as far as these are installed", () => {
  for (const [shell, flags] of [
    ["bash", ["--norc", "-n"]],
    ["zsh", ["-f", "-n"]],
    ["fish", ["--no-config", "-n"]],
  ] as const) {
    const { error, status, stderr } = spawnSync(shell, [...flags, fileOf(shell)], { encoding: "utf8" });
    if (shell !== "bash" && error !== undefined && "code" in error && error.code === "ENOENT") continue;
    expect([error, status, stderr], shell).toEqual([undefined, 0, ""]);
  }
  // Outside of comments quotes come in pairs in every line of bash and zsh: an explanation cannot leave its word.
  for (const line of [script.bash, script.zsh].join("\n").split("\n")) {
    const bare = line.startsWith("#") ? "" : line.replaceAll("'\\''", "");
    expect((bare.match(/'/g) ?? []).length % 2, line).toBe(0);
  }
});
