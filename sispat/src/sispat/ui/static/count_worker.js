// The page that counts is shown without a network, too: asked of the service first, and of what was kept last when that does not
// answer. Scripts and styles never change at their address. Nothing else is kept; readings wait in IndexedDB (count_queue.js).

const CACHE = "sispat-contagem";
const PAGE = /^\/inventarios\/[0-9a-f-]{36}\/contar$/;
const PATIENCE = 5000; // ms

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

const kept = (address) => caches.open(CACHE).then((cache) => cache.match(address, { ignoreSearch: true }));

async function page(request) {
  const address = new URL(request.url).pathname;
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status < 500) return answer; // also the form for signing in, and what is refused
  } catch {
    // no network
  }
  return (await kept(address)) ?? Response.error();
}

async function file(request) {
  return (await kept(new URL(request.url).pathname)) ?? fetch(request);
}

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && PAGE.test(pathname)) event.respondWith(page(event.request));
  else if (pathname.startsWith("/static/")) event.respondWith(file(event.request));
});
