// Keeps the site's own files, so that a reload works without a network.
//
// The network comes first, and the server is always asked whether a file is current: an update is there at the next
// load, and nothing stale is served while there is a network. What came is kept; without a network the kept file
// answers. Models are not kept here (they lie in the origin's private file system, with their hash), and requests to
// other hosts are not touched at all.

const VERSION = "candor-1"; // Raised when what is kept changes its form.

const SHELL = ["./", "boot.js", "candor-web.js", "candor-web_bg.wasm", "worker.js", "worker_bg.wasm"];

const scope = self.registration.scope;

// Everything that belongs to the site: the list above, and what its page names.
async function shell() {
  const page = await (await fetch(scope, { cache: "no-cache" })).text();
  const named = [...page.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, address]) => address);
  const addresses = [...SHELL, ...named].map((address) => new URL(address, scope));
  return [...new Set(addresses.filter(isOurs).map((address) => address.href))];
}

function isOurs(address) {
  return address.href.startsWith(scope) && !address.pathname.endsWith(".gguf");
}

async function keepShell() {
  const cache = await caches.open(VERSION);
  const keep = async (address) => {
    const response = await fetch(address, { cache: "no-cache" });
    if (!response.ok) throw new Error(`${address}: ${response.status}`);
    await cache.put(address, response);
  };
  await Promise.all((await shell()).map(keep));
}

async function answer(request) {
  const cache = await caches.open(VERSION);
  try {
    const response = await fetch(request, { cache: "no-cache" });
    if (response.status === 200) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
    if (kept) return kept;
    throw error;
  }
}

self.addEventListener("install", (event) => {
  event.waitUntil(keepShell().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name.startsWith("candor-") && name !== VERSION);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const plain = request.method === "GET" && !request.headers.has("range");
  if (plain && isOurs(new URL(request.url))) event.respondWith(answer(request));
});
