// Keeps the page's files, whole and of one version, so that it opens without a network. The files
// and their hashes are filled in where the page is made.

const FILES = self.casegateFiles;
const NAMES = Object.keys(FILES);
const PREFIX = `casegate-reader ${self.registration.scope} `;
const CACHE = PREFIX + self.casegateVersion;

self.addEventListener("install", (event) => {
  event.waitUntil(keepAll());
});

async function keepAll() {
  const kept = await caches.open(CACHE);
  await Promise.all(
    Object.entries(FILES).map(async ([name, integrity]) => {
      const answer = await fetch(name, { integrity, cache: "no-cache" });
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      // Anew, because a page may not be opened by an answer that was redirected.
      await kept.put(name, new Response(await answer.blob(), { headers: answer.headers }));
    }),
  );
}

self.addEventListener("activate", (event) => {
  event.waitUntil(discardOthers().then(() => self.clients.claim()));
});

async function discardOthers() {
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
}

self.addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  const name = pathname.slice(new URL(self.registration.scope).pathname.length) || "index.html";
  if (event.request.method === "GET" && NAMES.includes(name)) event.respondWith(keptFile(name));
});

async function keptFile(name) {
  const kept = await caches.open(CACHE);
  return (await kept.match(name)) ?? fetch(name);
}
