// Keeps the site's own files, so that a reload works without a network.
//
// The network comes first, and the server is always asked whether a file is current: an update is there at the next
// load, and nothing stale is served while there is a network. What came is kept; without a network the kept file
// answers. Models are not kept here (they lie in the origin's private file system, with their hash), and requests to
// other hosts are not touched at all.

const VERSION = "candor-1"; // Raised when what is kept changes its form.

const SHELL = ["./", "boot.js", "candor-web.js", "candor-web_bg.wasm", "worker.js", "worker_bg.wasm"];

const scope = self.registration.scope;

// What the site's page names: its styles, its icons.
async function named(cache) {
  const page = await (await cache.match(scope)).text();
  const addresses = [...page.matchAll(/(?:href|src)="([^"#]+)"/g)].map(([, address]) => new URL(address, scope));
  return addresses.filter(isOurs).map((address) => address.href);
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
  const shell = SHELL.map((address) => new URL(address, scope).href);
  // Without one of these there is no page; without an icon there is.
  await Promise.all(shell.map(keep));
  const more = (await named(cache)).filter((address) => !shell.includes(address));
  await Promise.allSettled(more.map(keep));
}

async function answer(event) {
  const { request } = event;
  const cache = await caches.open(VERSION);
  try {
    const response = await fetch(request, { cache: "no-cache" });
    if (response.status === 200) event.waitUntil(cache.put(request, response.clone()));
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
  if (plain && isOurs(new URL(request.url))) event.respondWith(answer(event));
});
