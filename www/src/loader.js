// The first lines that run in the worker; `candor` (addresses and the channel's name) is put in front of them.
//
// They exist for three things that WebAssembly cannot do for itself: say that it could not be started, say that it
// has trapped (after that no Rust code can be trusted to run), and say which requests it has made.
const channel = new BroadcastChannel(candor.channel);

function lost(reason) {
  const panic = self.candorPanic ? `${self.candorPanic}` : undefined;
  channel.postMessage({ lost: panic ?? `${reason?.message ?? reason}` });
  self.close();
}

self.candorSwitches = candor.switches;
self.addEventListener("error", (event) => lost(event.message));
self.addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof WebAssembly.RuntimeError) lost(event.reason);
});
channel.addEventListener("message", (event) => {
  if (event.data === "close") self.close();
});

try {
  const { default: start } = await import(candor.script);
  await start({ module_or_path: candor.wasm });
  // From here on: the engine's own two files belong to the page, and are no requests of a person at work.
  new PerformanceObserver((list) => {
    const requests = list
      .getEntries()
      .map(({ name, startTime, transferSize }) => [name, performance.timeOrigin + startTime, transferSize]);
    channel.postMessage({ requests });
  }).observe({ type: "resource" });
} catch (error) {
  lost(error);
}
