import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { UsageError } from "../errors.ts";
import { codeOf } from "./failure.ts";

const LOOPBACK = "127.0.0.1";

/** A server that only this machine reaches. */
export interface Loopback {
  /** `http://127.0.0.1:PORT/`. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves on 127.0.0.1, on `port`, or on a free one for 0. A request that names another host is refused: a foreign page whose name
 * was pointed at this machine could ask for anything else. So is every method but GET and HEAD. Throws UsageError where the port is taken.
 */
export async function serveLoopback(
  port: number,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Loopback> {
  const server = createServer((request, response) => {
    const status = statusOf(request);
    if (status === 200) answer(request, response);
    else response.writeHead(status, { "content-type": "text/plain" }).end(`${status}\n`);
  });
  const found = await listening(server, port);
  return {
    address: `http://${LOOPBACK}:${found}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** 200, or why a request is not answered. */
function statusOf({ method, headers }: IncomingMessage): number {
  const [host] = (headers.host ?? "").split(":");
  if (host !== LOOPBACK && host !== "localhost") return 403;
  return method === "GET" || method === "HEAD" ? 200 : 405;
}

/** The port that the server listens on. */
function listening(server: Server, port: number): Promise<number> {
  return new Promise((done, failed) => {
    server.once("error", (error) => {
      const taken = codeOf(error) === "EADDRINUSE" || codeOf(error) === "EACCES";
      failed(
        taken ? new UsageError(`--port ${port}: it is not free; give another one, or none for any free one`) : error,
      );
    });
    server.listen(port, LOOPBACK, () => {
      const place = server.address();
      done(place !== null && typeof place === "object" ? place.port : port);
    });
  });
}
