import type { Command } from "commander";
import type { Examination } from "../../bench/doctor.ts";
import { SvanetError } from "../../errors.ts";
import { adapterOption } from "../options.ts";
import { note, printJson, printLine } from "../print.ts";
import { memory } from "../units.ts";

interface DoctorFlags {
  readonly adapter?: string;
  readonly fixtures?: string;
  readonly list?: true;
  readonly json?: true;
}

/** `svanet doctor`: what GPU answers, whether our kernels compute right numbers on it, and how fast it is. */
export function register(command: Command): void {
  command
    .addOption(adapterOption())
    .option("--fixtures <folder>", "golden op files to run (default: those of the package)")
    .option("--list", "only list the adapters there are")
    .option("--json", "print what was found as JSON")
    .action(doctor);
}

async function doctor(flags: DoctorFlags): Promise<void> {
  const { listAdapters, openDevice } = await import("../../platform/node/open-device.ts");
  if (flags.list) {
    const adapters = await listAdapters();
    if (flags.json) printJson(adapters);
    else for (const line of adapters) printLine(line);
    if (adapters.length === 0) throw new SvanetError("Dawn names no adapter; 'svanet doctor' says what to do");
    return;
  }
  const { examine } = await import("../../bench/doctor.ts");
  const device = await openDevice({ adapter: flags.adapter });
  try {
    const found = await examine(device, flags.fixtures, (file, failed) => note(`${failed ? "FAIL" : "pass"} ${file}`));
    if (flags.json) printJson(found);
    else for (const line of lines(found)) printLine(line);
    process.exitCode = found.healthy ? 0 : 1;
  } finally {
    device.close();
  }
}

function lines({
  adapter,
  memory: sizes,
  subgroupMatrix,
  fixtures,
  definitions,
  speed,
  advice,
}: Examination): string[] {
  const { name, driver, backend, software, features, subgroupMinSize, subgroupMaxSize } = adapter;
  return [
    `adapter          ${name}${software ? " (a software driver: for tests and trying out)" : ""}`,
    `driver           ${driver}`,
    `back end         ${backend}`,
    `subgroups        ${subgroupMinSize === null ? "none" : `${subgroupMinSize} to ${subgroupMaxSize} lanes`}`,
    `subgroup matrix  ${subgroupMatrix.length === 0 ? "none" : subgroupMatrix.join(", ")}`,
    `features         ${features.join(", ")}`,
    `memory           buffers up to ${memory(sizes.buffer)}, bindings up to ${memory(sizes.binding)}, ` +
      `${sizes.storageBuffers} storage buffers a kernel, ${memory(sizes.host)} in this machine`,
    `kernels          ${sizes.workgroupInvocations} invocations and ${sizes.workgroupStorage} bytes a workgroup`,
    "",
    fixtures.text,
    ...definitions.failures.map(({ file, caseName, message }) => `FAIL ${file} (${caseName}): ${message}`),
    `definitions      ${definitions.ops} ops, ${definitions.values} numbers compared in ${definitions.seconds.toFixed(1)} s, ` +
      `worst ratio to tolerance ${definitions.worst.toPrecision(3)}, failures ${definitions.failures.length}`,
    "",
    `copy             ${speed.copyGigabytesPerSecond.toFixed(1)} GB/s`,
    `matrix product   ${speed.gflops.toFixed(1)} GFLOP/s f32 (${speed.variant}), ` +
      `${speed.overScalar.toFixed(1)} times a scalar register tile`,
    "",
    ...advice,
  ];
}
