import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fileServer } from "../../support/file-server.ts";
import { openBrowser, openPage } from "./browser.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

test("a page sees a software WebGPU; its errors and requests are recorded", async () => {
  const server = await fileServer((request, response) => {
    if (request.url === "/") response.writeHead(200, { "content-type": "text/html" }).end("<title>page</title>");
    else response.writeHead(404).end();
  });
  const { page, errors, requests, close } = await openPage(browser);
  await page.goto(server.address);
  const architecture = await page.evaluate(async () => {
    return (await navigator.gpu.requestAdapter())?.info.architecture;
  });
  expect(architecture).toBe("swiftshader");
  expect(errors.filter((text) => !text.includes("404"))).toEqual([]);
  await page.evaluate(() => setTimeout(() => Promise.reject(new Error("planted"))));
  await expect.poll(() => errors).toContain("planted");
  expect(requests[0]).toBe(`${server.address}/`);
  await close();
  await server.close();
});

test("a page can be shown without WebGPU", async () => {
  const { page, close } = await openPage(browser, { withoutWebGpu: true });
  expect(await page.evaluate(() => navigator.gpu)).toBeUndefined();
  await close();
});
