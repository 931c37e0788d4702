// The first script of the page: closes the doors, then lets the app in.
//
// A static site cannot send headers, so the Content-Security-Policy stands in the page, and its one variable part is
// written here: which hosts may be talked to. The list is what a person has allowed for downloading a model (see
// src/hosts.rs); anything in it that is not the address of a host is left out. If this script does not run, neither
// does the app.
(() => {
  const host = /^(https:\/\/(\*\.)?[a-z0-9.-]+(:\d+)?|http:\/\/(localhost|127\.0\.0\.1)(:\d+)?)$/;
  let allowed = [];
  try {
    allowed = (localStorage.getItem("candor.allowed-hosts") ?? "").split(/\s+/).filter((entry) => host.test(entry));
  } catch {
    // No storage, no allowed hosts.
  }
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = ["connect-src", "'self'", "blob:", ...allowed].join(" ");
  document.head.append(policy);
})();

// The colours a person has chosen (see src/components/theme.rs), before anything is painted.
try {
  document.documentElement.dataset.theme = localStorage.getItem("candor.theme") ?? "system";
} catch {
  // No storage, no choice.
}

addEventListener("DOMContentLoaded", async () => {
  try {
    const { default: start } = await import("./candor-web.js");
    await start({ module_or_path: new URL("candor-web_bg.wasm", document.baseURI) });
    document.documentElement.dataset.started = "";
  } catch (error) {
    // Nothing of the app runs, so the words stand here. They are also what a half-updated site shows.
    console.error(error);
    const note = document.createElement("p");
    note.setAttribute("role", "alert");
    note.className = "boot-failure";
    note.textContent =
      typeof WebAssembly === "object"
        ? "Candor could not be started. Reload the page; if that does not help, update the browser."
        : "Candor needs a browser with WebAssembly. Update the browser, or use another one.";
    document.body.append(note);
  }
});

// Keeps the site's files, so that a reload works without a network. See service-worker.js.
if ("serviceWorker" in navigator) {
  addEventListener("load", () => {
    navigator.serviceWorker.register("service-worker.js", { updateViaCache: "none" }).catch((error) => {
      // Private windows and plain http refuse it; the page works without, only not offline.
      console.info("not available offline:", error.message);
    });
  });
}
