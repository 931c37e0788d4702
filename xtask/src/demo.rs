//! `cargo xtask demo`: sets up, builds the page in release, serves it with the default model, opens it.

use std::io::ErrorKind;
use std::path::PathBuf;

use xtask::place;
use xtask::serve::{Server, Site};

use crate::setup::{self, Home};
use crate::step::{self, Failure, Steps};

/// The port if none is asked for; where it is taken, one of the next.
const PORT: u16 = 8080;
const PORTS_TRIED: u16 = 20;

/// What the user may choose.
#[derive(Debug, Default)]
pub struct Options {
    /// Do not open the browser.
    pub no_open: bool,
    /// Exactly this port.
    pub port: Option<u16>,
}

/// Runs until interrupted; returns only when something failed.
pub fn demo(options: &Options) -> Result<(), Failure> {
    let home = Home::find()?;
    let mut steps = Steps::default();
    let ready = setup::web(&mut steps, &home)
        && setup::model(&mut steps, &home, &mut setup::candor())
        && steps.run("page", || build(&home));
    if !ready {
        return Err(Failure::new("the demo is not ready: see the step that failed above"));
    }
    let server = serve(options.port, site(&home))?;
    let url = server.url();
    println!("\nCandor runs at {url}   (Ctrl-C stops it)");
    if !options.no_open
        && let Err(error) = open::that_detached(&url)
    {
        println!("No browser could be opened ({error}); open the address yourself.");
    }
    server.wait();
    Ok(())
}

/// Where the built page is.
pub fn dist() -> PathBuf {
    place::workspace().join("dist")
}

/// Builds the page into `dist/`.
pub fn build(home: &Home) -> Result<step::Done, Failure> {
    step::run(home.trunk()?.args(["build", "--release", "--offline=true", "--skip-version-check"]))
}

/// The page, with the model files of the cache folder beside it: served from there, never copied.
fn site(home: &Home) -> Site {
    Site::new(dist()).mount("/models", home.models())
}

fn serve(wanted: Option<u16>, site: Site) -> Result<Server, Failure> {
    let (first, count) = wanted.map_or((PORT, PORTS_TRIED), |port| (port, 1));
    for port in first..first.saturating_add(count) {
        match Server::start(site.clone(), port) {
            Ok(server) => return Ok(server),
            Err(error) if error.kind() == ErrorKind::AddrInUse && count > 1 => {}
            Err(error) => {
                return Err(Failure::new(format!("port {port}: {error}")).help("choose another with --port"));
            }
        }
    }
    Err(Failure::new(format!("ports {first} to {} are all taken", first + count - 1)).help("choose one with --port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_if_it_was_asked_for() {
        let taken = Server::start(Site::default(), 0).expect("a free port");
        let failure = serve(Some(taken.port()), Site::default()).expect_err("it is taken");
        assert!(failure.to_string().contains("--port"), "{failure}");
    }
}
