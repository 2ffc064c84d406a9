import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../../package-info.ts";
import type { ReportData } from "./data.ts";

/** How a page is served, where it is no file. */
export interface LiveOptions {
  /** Where its server sends events: a path of the same server. Messages are further {@link ReportData}, `end` is the last. */
  readonly events: string;
}

/** What the build makes of src/browser/report. */
const BUNDLE = join(packageRoot, "dist", "browser", "report.js");
const STYLES = ["page", "figures", "tables", "print"].map((name) =>
  join(packageRoot, "dist", "browser", "report", "styles", `${name}.css`),
);

/**
 * The whole page as HTML: script, styles and data stand in it, nothing is loaded, and its policy forbids to. Names in the data
 * may hold anything. Throws where the program was not built.
 */
export async function renderReport(data: ReportData, live?: LiveOptions): Promise<string> {
  const [bundle = "", ...sheets] = await Promise.all([BUNDLE, ...STYLES].map((file) => readFile(file, "utf8")));
  const styles = sheets.join("\n");
  const script = inScript(bundle);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${policy(script, styles, live)}">
<title>svanet report</title>
<style>${styles}</style>
</head>
<body>
<a class="skip" href="#report">To the report</a>
<main id="report" tabindex="-1"><noscript>This report is drawn by a script, which stands in this file and loads nothing: allow scripts for it.</noscript></main>
<script type="application/json" id="report-data">${inJson(data)}</script>
${live === undefined ? "" : `<script type="application/json" id="report-live">${inJson(live)}</script>\n`}<script>${script}</script>
</body>
</html>
`;
}

/** Nothing but what stands in the page; charts set styles of their own elements. */
function policy(script: string, styles: string, live: LiveOptions | undefined): string {
  return [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src-elem ${hashOf(styles)}`,
    "style-src-attr 'unsafe-inline'",
    "img-src data:",
    `connect-src ${live === undefined ? "'none'" : "'self'"}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** A script that no part of ends its element: the same strings and expressions, written otherwise. */
const inScript = (code: string): string => code.replaceAll(/<(?=\/script|!--|script)/gi, "\\x3c");

/** JSON that is data in HTML as well: neither an end of its element nor a line end that scripts know and JSON does not. */
const inJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[<\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
