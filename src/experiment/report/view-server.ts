import { randomBytes, timingSafeEqual } from "node:crypto";
import type { ServerResponse } from "node:http";
import { type LoopbackServer, refuse, serveLoopback } from "../../serve/loopback.ts";
import type { ReportData } from "./data.ts";
import type { LiveReport } from "./live.ts";
import { renderReport } from "./render.ts";

/** Milliseconds after which a browser that lost the connection asks again. */
const RETRY = 1000;
/** Milliseconds between two signs of life, so that nothing in between takes a quiet connection for a dead one. */
const ALIVE = 15_000;

/**
 * Serves the page of a live report at `/TOKEN/`, and what changes at `/TOKEN/events`, to who has the address with its random
 * token. No path leads to a file. UsageError as `serveLoopback` throws it. `address` is that of the page.
 */
export async function serveReport(live: LiveReport, port = 0): Promise<LoopbackServer> {
  const token = randomBytes(16).toString("base64url");
  const server = await serveLoopback((path, response, request) => {
    const [, given = "", page, ...more] = path.split("/");
    if (!isSame(given, token) || more.length > 0)
      return refuse(response, 404, "nothing is here: give the whole address that svanet view printed");
    if (page === "") return void sendPage(live, response, `/${token}/events`);
    if (page === "events") return sendEvents(live, response, request.method === "HEAD");
    return refuse(response, 404, "nothing is here");
  }, port);
  return { ...server, address: `${server.address}/${token}/` };
}

/** Compares in a time that says nothing of where two texts differ. */
function isSame(given: string, token: string): boolean {
  const [a, b] = [given, token].map((text) => Buffer.from(text));
  return a !== undefined && b !== undefined && a.length === b.length && timingSafeEqual(a, b);
}

async function sendPage(live: LiveReport, response: ServerResponse, events: string): Promise<void> {
  try {
    const page = await renderReport(live.data, { events });
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
  } catch (error) {
    refuse(response, 500, `the page could not be made: ${String(error)}`);
  }
}

/** The newest report at once, then every further one; `end` when no run goes on. */
function sendEvents(live: LiveReport, response: ServerResponse, headOnly: boolean): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  if (headOnly) return void response.end();
  const send = (data: ReportData) => void response.write(`data: ${JSON.stringify(data)}\n\n`);
  const end = () => {
    response.end("event: end\ndata: \n\n");
  };
  response.write(`retry: ${RETRY}\n\n`);
  send(live.data);
  if (live.isOver) {
    end();
    return;
  }
  const alive = setInterval(() => response.write(":\n\n"), ALIVE);
  const leave = live.follow({ changed: send, ended: end });
  response.on("close", () => {
    clearInterval(alive);
    leave();
  });
}
