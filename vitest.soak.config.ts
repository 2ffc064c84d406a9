import { defineConfig } from "vitest/config";
import { CountsReporter } from "./test/support/counts-reporter.ts";

/** What takes hours: `npm run soak`, nightly. The short forms are among the ordinary tests. */
export default defineConfig({
  test: {
    reporters: ["default", new CountsReporter()],
    projects: [
      {
        test: {
          name: "soak",
          include: ["test/soak/**/*.test.ts"],
          globalSetup: ["./test/support/require-adapter.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 4 * 3600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
