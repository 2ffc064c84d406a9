import { askAdapter } from "./require-adapter.ts";

/** The tests of this project run on SwiftShader or fail; vitest.system.config.ts chooses the driver for their workers. */
export function setup(): void {
  const icd = process.env["SVANET_SWIFTSHADER_ICD"];
  const adapter = icd === undefined ? null : askAdapter({ VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd });
  if (!adapter?.startsWith("SwiftShader")) {
    throw new Error(
      `SwiftShader does not answer (but ${adapter ?? "nothing"}): start the tests by \`npm run test:system\``,
    );
  }
  process.stdout.write(`the swiftshader tests run on ${adapter}\n`);
}
