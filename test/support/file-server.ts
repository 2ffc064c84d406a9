import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** A server of this machine, what it was asked for, and its end. */
export interface FileServer {
  readonly address: string;
  /** The `range` of every request, in their order; empty where none was asked for. */
  readonly ranges: string[];
  close(): Promise<void>;
}

type Answer = (request: IncomingMessage, response: ServerResponse, attempt: number) => void;

/** Serves by `answer`; `attempt` counts requests from 1. */
export async function fileServer(answer: Answer): Promise<FileServer> {
  const ranges: string[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range ?? "");
    answer(request, response, ranges.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const place = server.address();
  if (place === null || typeof place === "string") throw new Error("the server has no port");
  return {
    address: `http://127.0.0.1:${place.port}`,
    ranges,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers as a server of files does: whole, or from where a range begins. */
export function serve(bytes: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
  const [, start] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
  const from = Number(start ?? 0);
  if (from >= bytes.length) response.writeHead(416).end();
  else
    response
      .writeHead(start === undefined ? 200 : 206, { "content-length": bytes.length - from })
      .end(bytes.subarray(from));
}
