import { defineConfig } from "vitest/config";
import { CountsReporter } from "./test/support/counts-reporter.ts";

/** What needs packages of the system: `npm run test:system` installs them and says where they are. */
const SWIFTSHADER = process.env["SVANET_SWIFTSHADER_ICD"] ?? "";

export default defineConfig({
  test: {
    reporters: ["default", new CountsReporter()],
    projects: [
      {
        test: {
          name: "swiftshader",
          include: ["test/system/swiftshader/**/*.test.ts"],
          globalSetup: ["./test/support/require-swiftshader.ts"],
          // Loaders before 1.3.207 know the second name only.
          env: { VK_DRIVER_FILES: SWIFTSHADER, VK_ICD_FILENAMES: SWIFTSHADER },
          // The loader reads the variables of its process, not those of a thread.
          pool: "forks",
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Pages in Chromium, which brings a SwiftShader of its own for WebGPU.
        test: {
          name: "browser",
          include: ["test/system/browser/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // What AMD's compiler makes of the kernels; its files are found by bench/isa/machine.ts.
        test: { name: "isa", include: ["test/system/isa/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 600_000 },
      },
    ],
  },
});
