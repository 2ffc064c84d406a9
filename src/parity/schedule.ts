import { rateAt, type Schedule } from "../autograd/schedule.ts";
import type { Attributes } from "./attributes.ts";
import type { Checker } from "./check-files.ts";
import { TOLERANCE } from "./tolerance.ts";

function scheduleOf(attributes: Attributes): Schedule {
  const kind = attributes.choice("op", ["paper", "release"]);
  const epochs = attributes.integer("epochs");
  const high = attributes.number("high");
  const low = attributes.number("low");
  if (kind === "paper") return { kind, epochs, high, low };
  return { kind, epochs, high, low, start: attributes.number("start"), pretrained: attributes.flag("pretrained") };
}

/** ops/schedule: `rate[e]` is the rate in force during epoch e, in the case's unit. */
export const checkSchedule: Checker = async (file, report) => {
  for (const name of file.caseNames()) {
    await report.inCase(name, () => {
      const golden = file.case(name);
      const schedule = scheduleOf(golden.attributes);
      const unit = Number(golden.attributes.choice("unit", ["1e-6"]));
      const expected = golden.float("rate");
      const data = Float64Array.from(expected.data, (_, epoch) => rateAt(schedule, epoch) / unit);
      const epochs = schedule.kind === "constant" ? data.length : schedule.epochs;
      report.compare(name, expected, { shape: [epochs], data }, TOLERANCE.update);
    });
  }
};
