/**
 * What browsers load: modules of src/ bundled with all that they import, as one file each. `npm run build` makes them after
 * the compiler; a further page is one more entry of the list.
 */
import { fileURLToPath } from "node:url";

/**
 * `name`: file of dist/, without its ending; `entry`: the module in the repository; `format`: "iife" for a script that runs at
 * once, "es" for a module that exports something.
 */
export const BUNDLES = [
  { name: "browser/report", entry: "src/browser/report/main.ts", format: "iife" },
  { name: "browser/page/page", entry: "src/browser/page/main.ts", format: "iife" },
  { name: "browser/page/worker", entry: "src/browser/page/worker.ts", format: "iife" },
];

const root = fileURLToPath(new URL("..", import.meta.url));

/** Writes every bundle below `target`. Throws where one does not build, with the bundler's own words. */
export async function writeBundles(target) {
  for (const bundle of BUNDLES) await writeBundle(bundle, target);
}

/** One bundle below `target`: minified, without a map, with nothing left to import. A script's exports are its global `bundle`. */
export async function writeBundle({ name, entry, format }, target) {
  // Only where there is something to bundle: the first import takes half a second.
  const { build } = await import("vite");
  await build({
    root,
    configFile: false,
    logLevel: "warn",
    publicDir: false,
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      outDir: target,
      emptyOutDir: false,
      target: "es2022",
      minify: "esbuild",
      lib: { entry, formats: [format], name: "bundle", fileName: () => `${name}.js` },
      rollupOptions: {
        output: { inlineDynamicImports: true },
        // Of comments in packages of others, which nothing depends on.
        onwarn: (warning, warn) => warning.code === "INVALID_ANNOTATION" || warn(warning),
      },
    },
  });
}
