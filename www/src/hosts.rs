//! Which hosts the page may talk to.
//!
//! A static site cannot send response headers, so its Content-Security-Policy stands in the page. `boot.js`, the
//! first script to run, writes the `connect-src` part from the list that is kept here: nothing but the page's own
//! origin, until a person asks for a model from somewhere else. A policy can only be tightened while a page lives,
//! so a newly allowed host holds after a reload. The worker starts from a `blob:` address and so inherits the page's
//! policy.

use web_sys::Url;

/// Where the allowed hosts are kept (`localStorage`); `boot.js` reads the same entry.
pub const ALLOWED_HOSTS: &str = "candor.allowed-hosts";

/// Hosts that hand a download on to others: allowing the first alone would only lead to a refused redirect.
const FORWARDERS: [(&str, &[&str]); 2] = [
    ("https://huggingface.co", &["https://*.hf.co", "https://*.huggingface.co"]),
    ("https://github.com", &["https://*.githubusercontent.com"]),
];

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}

/// The page's own origin.
pub fn origin() -> String {
    web_sys::window().and_then(|window| window.location().origin().ok()).unwrap_or_default()
}

/// The hosts that a person has allowed, as origins; some with a `*.` for a host's own download servers.
pub fn allowed_hosts() -> Vec<String> {
    storage()
        .and_then(|storage| storage.get_item(ALLOWED_HOSTS).ok()?)
        .map(|list| list.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default()
}

fn origin_of(url: &str) -> Option<String> {
    let url = Url::new(url).ok()?;
    matches!(url.protocol().as_str(), "https:" | "http:").then(|| url.origin())
}

/// Whether the page may ask this address now.
pub fn is_host_allowed(url: &str) -> bool {
    origin_of(url).is_some_and(|wanted| wanted == origin() || allowed_hosts().contains(&wanted))
}

/// Allows the host of an address, and those it forwards to; it holds after a reload.
pub fn allow_host(url: &str) {
    let Some(wanted) = origin_of(url) else { return };
    let mut hosts = allowed_hosts();
    let forwards = FORWARDERS.iter().find(|(host, _)| *host == wanted).map_or(&[][..], |(_, more)| more);
    for host in std::iter::once(wanted.as_str()).chain(forwards.iter().copied()) {
        if !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_owned());
        }
    }
    keep(&hosts);
}

/// Takes back every allowed host; it holds after a reload.
pub fn forbid_all_hosts() {
    keep(&[]);
}

fn keep(hosts: &[String]) {
    if let Some(storage) = storage() {
        // Where nothing can be kept, nothing is allowed: the page stays with its own origin.
        let _ = storage.set_item(ALLOWED_HOSTS, &hosts.join(" "));
    }
}
