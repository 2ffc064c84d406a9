import { cachePrefix, type PageCache } from "../../page-manifest.ts";

declare const self: ServiceWorkerGlobalScope;
declare const svanetCache: PageCache;

const OWN = cachePrefix(self.registration.scope);
const NAME = OWN + svanetCache.name;

/** Fetches every file of the page past the browser's own cache, which may hold another version. */
async function store(): Promise<void> {
  const cache = await caches.open(NAME);
  await cache.addAll(svanetCache.files.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting();
}

async function dropOthers(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(OWN) && name !== NAME).map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** What is stored, else what the server has. */
async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(NAME);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(store()));
self.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});
