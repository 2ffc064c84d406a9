import { fitsWorkgroupTiles, type Target } from "../../target.ts";
import { sizeOf } from "../../trace/shape.ts";
import { DISPATCH, tiledClocks } from "./choose-tile.ts";
import { TILE_DEPTH } from "./tile.ts";
import { type Correlation, tilesOf, type WinogradChoice } from "./winograd.ts";
import { F2, F4, type WinogradForm } from "./winograd-forms.ts";

/** Bytes to and from memory that all units together move in a clock: a terabyte a second at 2.5 GHz. */
const TRAFFIC = 400;
/** Bytes that transformed patches, and their products, may take: a run's peak rises by no more than twice that. */
const BAND = 2 ** 26;
/** What it must gain to be worth its scratch memory and its rounding. */
const GAIN = 0.9;

/**
 * The forms, most accurate first. F(4x4) rounds more: every golden file's logits stay within their tolerance, but gradients of
 * CFANet's edge convolutions part by four times theirs, so what is trained takes F(2x2) alone.
 */
const formsFor = ({ evaluates }: Target): readonly WinogradForm[] => (evaluates ? [F2, F4] : [F2]);

/**
 * The form with which Winograd's filtering is done soonest, or null where the definition by tiles is: its products are
 * `patch^2 / (9 tile^2)` of the definition's, but patches and products go through memory, `patch^2 / tile^2` times the size
 * of input and output, the weight grows as well, and there are three dispatches and more instead of one. The model is that
 * of tiles for the products, plus bytes and dispatches; it reads nothing but its arguments.
 */
export function chooseWinograd(correlation: Correlation, target: Target): WinogradChoice | null {
  if (!fitsWorkgroupTiles(target)) return null;
  const { images, outH, outW, columns, inner } = correlation;
  const turns = 9 * Math.ceil(inner / TILE_DEPTH);
  const direct = tiledClocks({ rows: images * outH * outW, columns, phases: 1, turns, wide: true }, target);
  const choices = formsFor(target).map((form) => {
    const bands = bandsOf(correlation, form, target);
    return { form, bands, clocks: clocksOf(correlation, form, bands, target) };
  });
  const best = choices.reduce((least, choice) => (choice.clocks < least.clocks ? choice : least));
  return best.clocks < GAIN * direct ? { form: best.form, bands: best.bands } : null;
}

function bandsOf(correlation: Correlation, form: WinogradForm, { bindingLimit }: Target): number {
  const { inner, columns } = correlation;
  const bytes = 4 * form.patch ** 2 * tilesOf(correlation, form).tiles * Math.max(inner, columns);
  return Math.ceil(bytes / Math.min(BAND, bindingLimit));
}

function clocksOf(correlation: Correlation, form: WinogradForm, bands: number, target: Target): number {
  const { inner, columns, source, out, weight } = correlation;
  const products = form.patch ** 2;
  const { tiles } = tilesOf(correlation, form);
  const rows = Math.ceil(tiles / bands);
  const turns = Math.ceil(inner / TILE_DEPTH);
  const multiplying = bands * tiledClocks({ rows, columns, phases: products, turns, wide: true }, target);
  const moved =
    sizeOf(source.shape) +
    sizeOf(out.shape) +
    2 * products * tiles * (inner + columns) +
    (sizeOf(weight.shape) * (9 + 2 * products)) / 9;
  return multiplying + (4 * moved) / TRAFFIC + (2 * bands + 1) * DISPATCH;
}
