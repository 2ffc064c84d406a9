import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { UsageError } from "../errors.ts";

/** The only address that is listened on: nothing outside this machine reaches it. */
const HOST = "127.0.0.1";

/** What every answer says: nothing is kept, guessed, framed or told to others. */
const HEADERS = {
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** Answers a request that was found to be from here; `path` is its decoded path, without the query. */
export type Answer = (path: string, response: ServerResponse, request: IncomingMessage) => void;

/** A server of this machine. */
export interface LoopbackServer {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly address: string;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/**
 * Serves on 127.0.0.1 alone, by GET and HEAD alone. A request must name this server in `Host` (a page of somebody's domain that
 * points here does not: DNS rebinding), and its `Origin`, where it has one, must be this server. Port 0 is a free one. UsageError
 * where the port cannot be had.
 */
export async function serveLoopback(answer: Answer, port = 0): Promise<LoopbackServer> {
  const server = createServer();
  await listen(server, port);
  const place = server.address();
  if (place === null || typeof place === "string") throw new Error("the server has no port");
  const names = [`${HOST}:${place.port}`, `localhost:${place.port}`];
  server.on("request", (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const refusal = refusalOf(request, names);
    if (refusal !== undefined) return refuse(response, ...refusal);
    const path = pathOf(request);
    if (path === undefined) return refuse(response, 400, "this is no path");
    answer(path, response, request);
  });
  return {
    address: `http://${HOST}:${place.port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Ends an answer with a status and a sentence. */
export function refuse(response: ServerResponse, status: number, sentence: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${sentence}\n`);
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, HOST, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = { EADDRINUSE: "is in use by another program", EACCES: "may not be used by this user" }[code ?? ""];
    if (why === undefined) throw error;
    throw new UsageError(`--port ${port}: ${why}; choose another, or leave it out for a free one`, { cause: error });
  }
}

/** Why a request is not answered: the status and a sentence; undefined where it is. */
function refusalOf({ method, headers }: IncomingMessage, names: readonly string[]): [number, string] | undefined {
  if (method !== "GET" && method !== "HEAD") return [405, "only GET and HEAD are answered"];
  if (!names.includes(headers.host ?? "")) return [403, "this server answers to 127.0.0.1 and localhost alone"];
  const { origin } = headers;
  const isOwn = origin === undefined || names.some((name) => origin === `http://${name}`);
  return isOwn ? undefined : [403, "a page of another origin is not answered"];
}

/** The path of a request; undefined for what cannot be decoded. */
function pathOf({ url = "" }: IncomingMessage): string | undefined {
  try {
    return decodeURIComponent(url.split("?")[0] ?? "");
  } catch {
    return undefined;
  }
}
