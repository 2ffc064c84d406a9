import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { copyPublished } from "../../../src/weights/published/copy-weights.ts";
import { type FetchOptions, fetchPublished } from "../../../src/weights/published/fetch-weights.ts";
import { faultOf, findPublished, placeOf, weightsPath } from "../../../src/weights/published/find-weights.ts";
import {
  isPublishedName,
  PUBLISHED_FILES,
  type PublishedFile,
  publishedFile,
} from "../../../src/weights/published/published-files.ts";
import { torchFolder, weightsFolder } from "../../../src/weights/published/weights-folder.ts";
import { readWeights } from "../../../src/weights/read-weights.ts";
import { type FileServer, fileServer, serve } from "../../support/file-server.ts";
import { floats, zipFile } from "../../support/pth-writer.ts";

const scratch = mkdtempSync(join(tmpdir(), "svanet-published-"));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A file of the very format that torchvision publishes, only smaller. */
const BYTES = Buffer.from(
  zipFile({
    "conv1.weight": floats(
      Float32Array.from({ length: 4096 }, (_, i) => i / 64),
      [64, 64],
    ),
  }),
);
const SHA256 = createHash("sha256").update(BYTES).digest("hex");

let folder: string;
let server: FileServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(scratch, "folder-"));
});
afterEach(() => server?.close());

const FILE: PublishedFile = {
  name: "imagenet:tiny",
  file: `tiny-${SHA256.slice(0, 8)}.pth`,
  url: "http://127.0.0.1:9/",
  page: "https://example.org/models",
  sha256: SHA256,
  bytes: BYTES.length,
  fills: "nothing",
};
/** Of this file only what its name says is known. */
const { bytes: _bytes, ...UNMEASURED } = { ...FILE, sha256: SHA256.slice(0, 8) };
const QUICK: FetchOptions = { pause: 1, patience: 2000, env: {} };

/** Serves the file by `answer` and fetches it. */
async function fetched(file: PublishedFile, answer: Parameters<typeof fileServer>[0], options: FetchOptions = QUICK) {
  server = await fileServer(answer);
  return fetchPublished({ ...file, url: `${server.address}/${file.file}` }, folder, options);
}

test("names, files, hashes and addresses of the table go together", () => {
  for (const { name, file, url, page, sha256, bytes } of PUBLISHED_FILES) {
    expect(isPublishedName(name), name).toBe(true);
    expect(url.endsWith(`/${file}`), name).toBe(true);
    for (const address of [url, page]) expect(new URL(address).protocol, name).toBe("https:");
    expect(sha256, name).toMatch(/^([0-9a-f]{8}|[0-9a-f]{64})$/);
    expect(file, name).toMatch(new RegExp(`-${sha256.slice(0, 8)}\\.pth$`));
    expect(sha256.length === 64, name).toBe(bytes !== undefined);
  }
  expect(new Set(PUBLISHED_FILES.map(({ name }) => name)).size).toBe(PUBLISHED_FILES.length);
});

test("a path is no name, and an unknown name is answered with the nearest", () => {
  for (const path of ["resnet50.pth", "w/a:b.pth", "C:\\w\\net.pth", "C:/w", "runs/x", "s3://bucket/x"]) {
    expect(isPublishedName(path), path).toBe(false);
  }
  expect(publishedFile("ImageNet:ResNet50").file).toBe("resnet50-11ad3fa6.pth");
  expect(() => publishedFile("imagenet:resnt50")).toThrow(
    "imagenet:resnt50: no published weights have this name. Did you mean imagenet:resnet50?",
  );
  expect(() => publishedFile("coco:yolo")).toThrow("Known: imagenet:resnet18, imagenet:resnet34");
});

test("weights are kept where the system keeps caches", () => {
  const at = (platform: NodeJS.Platform, env = {}) => weightsFolder({ platform, home: "/h", env });
  expect(at("linux")).toBe(join("/h", ".cache", "svanet", "weights"));
  expect(at("linux", { XDG_CACHE_HOME: "/c" })).toBe(join("/c", "svanet", "weights"));
  expect(at("linux", { XDG_CACHE_HOME: "not/absolute" })).toBe(join("/h", ".cache", "svanet", "weights"));
  expect(at("darwin")).toBe(join("/h", "Library", "Caches", "svanet", "weights"));
  expect(at("win32", { LOCALAPPDATA: "/l" })).toBe(join("/l", "svanet", "weights"));
  expect(torchFolder({ platform: "linux", home: "/h", env: { TORCH_HOME: "/t" } })).toBe("/t/hub/checkpoints");
});

test("a file is fetched whole and read as the weights it holds", async () => {
  const seen: (readonly [number, number | undefined])[] = [];
  const path = await fetched(FILE, (request, response) => serve(BYTES, request, response), {
    ...QUICK,
    onProgress: (done, total) => seen.push([done, total]),
  });
  expect(readdirSync(folder)).toEqual([FILE.file]);
  expect(seen.at(-1)).toEqual([BYTES.length, BYTES.length]);
  expect([...(await readWeights(path)).tensors.keys()]).toEqual(["conv1.weight"]);
});

test("a fetch that broke off goes on where it ended, in the same process and in the next", async () => {
  const breaking = 5000;
  await fetched(FILE, (request, response, attempt) => {
    if (attempt > 1) return serve(BYTES, request, response);
    response.writeHead(200, { "content-length": BYTES.length }).write(BYTES.subarray(0, breaking), () => {
      setTimeout(() => response.destroy(), 50);
    });
  });
  expect(server?.ranges).toEqual(["", `bytes=${breaking}-`]);
  expect(readFileSync(join(folder, FILE.file)).equals(BYTES)).toBe(true);
  await server?.close();
  rmSync(join(folder, FILE.file));
  writeFileSync(join(folder, `${FILE.file}.part`), BYTES.subarray(0, 100));
  await fetched(FILE, (request, response) => serve(BYTES, request, response));
  expect(server?.ranges).toEqual(["bytes=100-"]);
  expect(readFileSync(join(folder, FILE.file)).equals(BYTES)).toBe(true);
});

test("a server without ranges sends it anew, and a part that is all there is only checked", async () => {
  const part = join(folder, `${FILE.file}.part`);
  writeFileSync(part, new Uint8Array(BYTES.length + 7));
  await fetched(UNMEASURED, (_request, response) => response.writeHead(200).end(BYTES));
  expect(readFileSync(join(folder, FILE.file)).equals(BYTES)).toBe(true);
  await server?.close();
  writeFileSync(part, BYTES);
  await fetched(FILE, (_request, response) => response.writeHead(500).end());
  expect(server?.ranges).toEqual([]);
});

test("what is not the published file is refused, named and not kept", async () => {
  const page = Buffer.from("<html>please log in</html>");
  const answer = (bytes: Uint8Array) => fetched(FILE, (request, response) => serve(bytes, request, response));
  await expect(answer(page)).rejects.toThrow(
    `has ${page.length} bytes, ${FILE.file} has ${BYTES.length}: what comes is not what was published (a proxy's page, perhaps)`,
  );
  await server?.close();
  const changed = Buffer.from(BYTES);
  changed[3000] = (changed[3000] ?? 0) ^ 1;
  await expect(answer(changed)).rejects.toThrow(`${FILE.file} has ${SHA256}: what comes is not what was published`);
  await server?.close();
  const longer = Buffer.concat([BYTES, BYTES]);
  await expect(fetched(FILE, (_request, response) => response.writeHead(200).write(longer))).rejects.toThrow(
    " bytes, ",
  );
  expect(readdirSync(folder)).toEqual([]);
});

test("what cannot be fetched is said with the file's name, its page and what to do", async () => {
  const gone = fetched(FILE, (_request, response) => response.writeHead(404).end());
  await expect(gone).rejects.toThrow(
    /^imagenet:tiny cannot be fetched \(the server answers 404\); its publisher lists it at https:\/\/example\.org\/models as tiny-\w{8}\.pth/,
  );
  expect(server?.ranges).toEqual([""]);
  await server?.close();
  const busy = fetched(FILE, (_request, response) => response.writeHead(503).end());
  await expect(busy).rejects.toThrow("the server answers 503");
  expect(server?.ranges.length).toBe(3);
  const refused = fetchPublished(FILE, folder, { ...QUICK, tries: 1, env: { HTTPS_PROXY: "http://p" } });
  await expect(refused).rejects.toThrow("HTTPS_PROXY is set, which Node 24 and later follow with NODE_USE_ENV_PROXY=1");
  const offline = fetchPublished(FILE, folder, { env: { SVANET_OFFLINE: "1" } });
  await expect(offline).rejects.toThrow("SVANET_OFFLINE is set, so nothing is fetched; its publisher lists it at");
});

test("a server that falls silent does not hold a command for ever", async () => {
  const silent = fetched(FILE, (_request, response) => void response.writeHead(200).write(BYTES.subarray(0, 10)), {
    ...QUICK,
    tries: 1,
    patience: 100,
  });
  await expect(silent).rejects.toThrow("no byte came for 0.1 seconds");
});

test("a copy is checked, takes the published name, and is found; a damaged one is not used", async () => {
  const mine = join(folder, "downloaded (1).pth");
  writeFileSync(mine, BYTES);
  const cache = join(folder, "cache");
  const path = await copyPublished(FILE, mine, cache);
  expect(path).toBe(join(cache, FILE.file));
  const places = { folder: join(folder, "none"), others: [cache] };
  expect(await findPublished(FILE, places)).toBe(path);
  expect(await faultOf(path, UNMEASURED)).toBeNull();
  writeFileSync(path, BYTES.subarray(1));
  expect(placeOf(FILE, places)).toBe(path);
  await expect(findPublished(FILE, places)).rejects.toThrow(`${path}: has ${BYTES.length - 1} bytes, ${FILE.file} has`);
  await expect(copyPublished(FILE, path, folder)).rejects.toThrow("it is not imagenet:tiny; its publisher lists it at");
});

test("training takes a path as it is, and of a name the file, which is checked again", async () => {
  expect(await weightsPath("any/path.pth", null)).toBe("any/path.pth");
  await expect(weightsPath("imagenet:resnet18", folder)).rejects.toThrow(
    `imagenet:resnet18: resnet18-f37072fd.pth is not in ${folder}; svanet weights add imagenet:resnet18`,
  );
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "resnet18-f37072fd.pth"), "no weights");
  await expect(weightsPath("imagenet:resnet18", folder)).rejects.toThrow(
    "has 10 bytes, resnet18-f37072fd.pth has 46830571",
  );
  expect(existsSync(join(folder, "resnet18-f37072fd.pth"))).toBe(true);
});
