import { type Browser, chromium, type Page } from "playwright-core";

/** Chromium's flags for a WebGPU that needs no GPU: its own SwiftShader, as everywhere the tests run. */
const SOFTWARE_WEBGPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--no-sandbox",
];

/** How a page is looked at. */
export interface View {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Without WebGPU, as in browsers that have none. */
  readonly withoutWebGpu?: boolean;
}

/** A page, and what it did that a test may want to forbid. */
export interface Watched {
  readonly page: Page;
  /** Errors of the console, uncaught errors and refused resources, in their order. */
  readonly errors: string[];
  /** Every address the page asked for. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** The headless Chromium of the machine, which `npm run test:system` installs. */
export function openBrowser(): Promise<Browser> {
  const executablePath = process.env["SVANET_CHROMIUM"];
  if (!executablePath) throw new Error("SVANET_CHROMIUM names no browser: start the tests by `npm run test:system`");
  return chromium.launch({ executablePath, args: SOFTWARE_WEBGPU });
}

/** An empty page of its own profile that is watched from its first request on. */
export async function openPage(browser: Browser, view: View = {}): Promise<Watched> {
  const { width = 1280, height = 800, dark = false, withoutWebGpu = false } = view;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    acceptDownloads: true,
  });
  if (withoutWebGpu) {
    await context.addInitScript(() => Object.defineProperty(navigator, "gpu", { value: undefined }));
  }
  const page = await context.newPage();
  const errors: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("requestfailed", (request) => errors.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on("request", (request) => requests.push(request.url()));
  return { page, errors, requests, close: () => context.close() };
}
