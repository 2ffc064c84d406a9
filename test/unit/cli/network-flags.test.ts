import { Command } from "commander";
import { expect, test } from "vitest";
import { addTrainOptions, trainConfigFrom } from "../../../src/cli/options.ts";
import { networkConfig } from "../../../src/experiment/settings/recipe.ts";
import { fromZoo } from "../../../src/model/zoo.ts";

/** The network that a command line asks for. */
function network(...flags: readonly string[]) {
  const command = addTrainOptions(new Command().exitOverride());
  command.parse(["--data", "d", "--out", "o", ...flags], { from: "user" });
  return networkConfig(trainConfigFrom(command.opts()), 3);
}

test("without flags is the preset at the data's classes", () => {
  expect(network()).toEqual({ ...fromZoo("svanet").config, classes: 3 });
  expect(network("--preset", "svanet-text")).toEqual({ ...fromZoo("svanet-text").config, classes: 3 });
});

test.each([
  [["--encoder", "resnet34"], { encoder: "resnet34" }],
  [["--neck-attention", "coord"], { neckAttention: "coord" }],
  [["--mc-sizes", "2,3"], { mcSizes: [2, 3] }],
  [["--mc-shuffle", "off"], { mcShuffle: false }],
  [["--neck", "off"], { neck: false }],
  [["--neck-ratio", "0.5"], { neckRatio: 0.5 }],
  [["--guidance", "off"], { guidance: false }],
  [["--guide-block", "3x3"], { guideBlock: "3x3" }],
  [["--link-tap", "before"], { linkTap: "before" }],
  [["--former-local", "dense"], { formerLocal: "dense" }],
  [["--sv-mode", "mean"], { svMode: "mean" }],
  [["--link", "add"], { link: "add" }],
  [["--former-before", "off"], { formerBefore: false }],
  [["--former-after", "off"], { formerAfter: false }],
  [["--former-gate-before", "se"], { formerGateBefore: "se" }],
  [["--former-gate-before", "cbam"], { formerGateBefore: "cbam" }],
  [["--former-gate-after", "mc"], { formerGateAfter: "mc" }],
  [["--former-gate-after", "coord"], { formerGateAfter: "coord" }],
  [["--width", "8"], { base: 8, stem: 8, asppChannels: 64 }],
  [["--size", "64x96"], { width: 64, height: 96 }],
  [["--ablation", "t4-neck", "--link", "none"], { neckAttention: "none", link: "none", formerAfter: false }],
])("%j changes that and nothing else", (flags, changes) => {
  expect(network(...flags)).toMatchObject(changes);
  const rest = { ...network(...flags), ...Object.fromEntries(Object.keys(changes).map((key) => [key, 0])) };
  const whole = flags.includes("--ablation") ? network("--ablation", "t4-neck") : network();
  expect(rest).toEqual({ ...whole, ...Object.fromEntries(Object.keys(changes).map((key) => [key, 0])) });
});

test("the heads of the AssemFormer's attention can be fewer, where it has heads", () => {
  const narrow = ["--preset", "svanet-text", "--width", "12"];
  expect(() => network(...narrow)).toThrow("use --width 16 or, where a command has it, --former-heads 3");
  expect(network(...narrow, "--former-heads", "3")).toMatchObject({ formerHeads: 3, base: 12 });
  expect(() => network("--former-heads", "2")).toThrow("--former-heads: the attention of svanet is separable");
});

test("other networks take width and size, and refuse SvANet's choices with a sentence", () => {
  expect(network("--model", "unet", "--width", "4", "--size", "75")).toMatchObject({
    kind: "unet",
    base: 4,
    height: 75,
  });
  expect(network("--model", "nnunet", "--size", "64")).toMatchObject({ features: [32, 64, 128, 256, 512] });
  expect(() => network("--model", "pranet", "--encoder", "resnet34")).toThrow(
    "--encoder is a choice of SvANet, and pranet has none; variants with another encoder have names of their own",
  );
  expect(() => network("--model", "unet", "--link", "add")).toThrow("--link is a choice of SvANet");
  expect(() => network("--model", "pranett")).toThrow("there is no network pranett. Did you mean pranet?");
});

test("values that are no choice are refused with the flag's name", () => {
  expect(() => network("--neck-attention", "sse")).toThrow('--neck-attention: "sse" does not fit: Did you mean se?');
  expect(() => network("--former-before", "yes")).toThrow('--former-before: "yes" does not fit');
  expect(() => network("--mc-sizes", "2,x")).toThrow("--mc-sizes");
  expect(() => network("--layer-rates", "clasifier=10")).toThrow("begin with clasifier. Did you mean classifier?");
});
