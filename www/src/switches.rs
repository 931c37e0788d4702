//! Switches in the page's address that force what is otherwise rare: so that tests, and whoever looks at the page,
//! can see it without a full disk or a broken browser.
//!
//! | switch | does |
//! |---|---|
//! | `backend=cpu`, `gpu`, `gpu-f32`, `gpu-f16`, `gpu-dot` | the model runs there, whichever is faster |
//! | `storage=none` | no file is kept, as in a browser without a private file system |
//! | `storage-full-after=N` | the disk is full after N bytes of a model |
//! | `graphics-lost-after=N` | the graphics device is lost at the N+1st text |
//! | `engine-stops-after=N` | the engine traps at the N+1st text |
//! | `pool-worker-stops-after=N` | the first worker that a pool starts traps, once, at the N+1st text |

/// The switches of this page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    /// Where the model runs: a backend's name, else the fastest.
    pub backend: Option<String>,
    /// No file is kept.
    pub no_storage: bool,
    /// The disk is full after so many bytes.
    pub full_after: Option<u64>,
    /// The graphics device is lost after so many texts.
    pub graphics_lost_after: Option<u64>,
    /// The engine traps after so many texts.
    pub stops_after: Option<u64>,
    /// The first worker that a pool starts traps after so many texts.
    pub pool_worker_stops_after: Option<u64>,
}

impl Switches {
    /// Reads an address's query (`?a=b&c=d`); what it does not know is nothing to it.
    pub fn parse(query: &str) -> Self {
        let mut switches = Self::default();
        for pair in query.trim_start_matches('?').split('&') {
            match pair.split_once('=') {
                Some(("backend", name)) => switches.backend = Some(name.to_owned()),
                Some(("storage", "none")) => switches.no_storage = true,
                Some(("storage-full-after", bytes)) => switches.full_after = bytes.parse().ok(),
                Some(("graphics-lost-after", texts)) => switches.graphics_lost_after = texts.parse().ok(),
                Some(("engine-stops-after", texts)) => switches.stops_after = texts.parse().ok(),
                Some(("pool-worker-stops-after", texts)) => switches.pool_worker_stops_after = texts.parse().ok(),
                _ => {}
            }
        }
        switches
    }

    /// The switches of this page.
    pub fn of_page() -> Self {
        let search = web_sys::window().and_then(|window| window.location().search().ok());
        Self::parse(&search.unwrap_or_default())
    }

    /// The switches of the page that this worker belongs to (its loader leaves them in the global scope).
    pub fn of_worker() -> Self {
        let query = js_sys::Reflect::get(&js_sys::global(), &"candorSwitches".into()).unwrap_or_default();
        Self::parse(&query.as_string().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_knows() {
        let both = Switches::parse("?x=1&storage-full-after=500&engine-stops-after=2");
        let expected = Switches { full_after: Some(500), stops_after: Some(2), ..Switches::default() };
        assert_eq!(both, expected);
        assert!(Switches::parse("?storage=none").no_storage);
        let later = Switches::parse("?backend=gpu&backend=cpu").backend;
        assert_eq!(later.as_deref(), Some("cpu"), "the last one counts: a pool adds its own");
        for nothing in ["", "?", "?storage=", "?storage=some&storage-full-after=x"] {
            assert_eq!(Switches::parse(nothing), Switches::default(), "{nothing}");
        }
    }
}
