//! Set-up: whatever is missing on this machine, and nothing that is there.
//!
//! Each part looks first (a file, a `--version`: milliseconds) and installs only then. Tools go into the cache folder
//! that all clones share, never into the user's own cargo folder; the browser comes from the system's packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::{browser, place};

use crate::step::{self, Done, Failure, Steps};

/// Builds the page. Newer ones may need newer crates than a mirror of the registry has.
const TRUNK_VERSION: &str = "0.21.14";
/// The model that the demo and the tests use, by its name in `models/manifest.toml`.
pub const MODEL: &str = "smollm2-135m";

/// Where the shared things lie.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    /// The shared cache folder.
    pub fn find() -> Result<Self, Failure> {
        let folder = place::home().ok_or_else(|| {
            Failure::new("this machine has no cache folder").help("set CANDOR_HOME to a folder for models and tools")
        })?;
        Ok(Self { folder })
    }

    /// Where model files are.
    pub fn models(&self) -> PathBuf {
        self.folder.join("models")
    }

    fn tools(&self) -> PathBuf {
        self.folder.join("tools")
    }

    /// An installed tool of exactly this version, ours or the user's own.
    fn tool(&self, name: &str, version: &str) -> Option<PathBuf> {
        let ours = self.tools().join("bin");
        [place::program(name, &[ours]), place::program(name, &[])].into_iter().flatten().find(|program| {
            step::first_line(Command::new(program).arg("--version"))
                .is_some_and(|line| line.split_whitespace().any(|word| word == version))
        })
    }

    /// A command that finds the right wasm-bindgen first, and cannot be misled by the caller's terminal settings.
    pub fn command(&self, program: &Path) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bindgen = wasm_bindgen_version().ok().and_then(|version| self.tool("wasm-bindgen", &version));
        let first = bindgen.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        let folders = first.into_iter().chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command.current_dir(place::workspace());
        if let Ok(joined) = std::env::join_paths(folders) {
            command.env("PATH", joined);
        }
        // trunk takes NO_COLOR for a flag of its own and stops at the usual value, 1.
        command.env_remove("NO_COLOR");
        command
    }

    /// trunk, once it is set up.
    pub fn trunk(&self) -> Result<Command, Failure> {
        self.tool("trunk", TRUNK_VERSION)
            .map(|program| self.command(&program))
            .ok_or_else(|| missing("trunk", TRUNK_VERSION))
    }

    /// wasm-bindgen's test runner, once it is set up.
    pub fn test_runner(&self) -> Result<PathBuf, Failure> {
        let version = wasm_bindgen_version()?;
        self.tool("wasm-bindgen-test-runner", &version).ok_or_else(|| missing("wasm-bindgen-test-runner", &version))
    }
}

fn missing(tool: &str, version: &str) -> Failure {
    Failure::new(format!("{tool} {version} is not installed")).help("run `cargo xtask setup`")
}

/// Cargo, as it was called.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(place::workspace());
    command
}

/// All that building the page needs; returns whether it is there.
pub fn web(steps: &mut Steps, home: &Home) -> bool {
    let target = steps.run("wasm target", wasm_target);
    let bindgen = steps.run("wasm-bindgen", || WASM_BINDGEN.install(home, &wasm_bindgen_version()?));
    let trunk = steps.run("trunk", || TRUNK.install(home, TRUNK_VERSION));
    target && bindgen && trunk
}

/// The `candor` command, built if need be.
pub fn candor() -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "candor", "--"]);
    command
}

/// The default model, downloaded and checked by the `candor` command if it is not there yet.
pub fn model(steps: &mut Steps, home: &Home, candor: &mut Command) -> bool {
    steps.run("model", || {
        let model = Model::find(MODEL)?;
        if model.path(home).is_some() {
            return Ok(Done::Present);
        }
        println!("      {} · {:.0} MB, once, into {}", model.file, model.bytes as f64 / 1e6, home.models().display());
        step::run(candor.args(["model", "fetch", MODEL]))
    })
}

/// The default model's file, if it is there.
pub fn model_file(home: &Home) -> Option<PathBuf> {
    Model::find(MODEL).ok()?.path(home)
}

/// A browser that can be steered; where there is none and it cannot be installed, one line says what to do, and that
/// is a failure where it is `required`.
pub fn browser(steps: &mut Steps, required: bool) -> bool {
    steps.run("browser", || {
        if browser::find().is_some() {
            return Ok(Done::Present);
        }
        let advice = "install Chromium (or Chrome) and the ChromeDriver of the same version, or name them in CHROMIUM \
             and CHROMEDRIVER";
        if !(is_debian() && is_root()) {
            return if required {
                Err(Failure::new("there is no browser to test in").help(advice))
            } else {
                Ok(Done::Skipped(format!("the browser tests will not run: {advice}")))
            };
        }
        apt_install(&["chromium", "chromium-driver"])?;
        match browser::find() {
            Some(_) => Ok(Done::Worked),
            None => Err(Failure::new("apt-get installed chromium, but it is not on the PATH").help(advice)),
        }
    })
}

/// A graphics driver, so that the graphics kernels are tested: Mesa's runs them on the processor where there is no
/// device. Where none can be installed those tests are left out, which is a failure where they are `required`.
pub fn graphics(steps: &mut Steps, required: bool) -> bool {
    steps.run("graphics driver", || {
        if has_graphics_driver() {
            return Ok(Done::Present);
        }
        let advice = "install a Vulkan driver; Mesa's lavapipe (mesa-vulkan-drivers) needs no graphics device";
        if !(is_debian() && is_root()) {
            return if required {
                Err(Failure::new("there is no graphics driver to test on").help(advice))
            } else {
                Ok(Done::Skipped(format!("the graphics kernels will not be tested: {advice}")))
            };
        }
        apt_install(&["libvulkan1", "mesa-vulkan-drivers"])?;
        match has_graphics_driver() {
            true => Ok(Done::Worked),
            false => Err(Failure::new("apt-get installed Mesa's drivers, but none is registered").help(advice)),
        }
    })
}

/// Whether a Vulkan driver is registered; macOS and Windows bring their own interfaces.
fn has_graphics_driver() -> bool {
    let registered = |folder: &&str| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
    !cfg!(target_os = "linux") || ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].iter().any(registered)
}

fn apt_install(packages: &[&str]) -> Result<Done, Failure> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    step::run(apt().args(["update", "--quiet"]))?;
    step::run(apt().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages))
}

fn wasm_target() -> Result<Done, Failure> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let libraries = |sysroot: String| Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib");
    let sysroot = step::first_line(Command::new("rustc").current_dir(place::workspace()).args(["--print", "sysroot"]));
    if sysroot.is_some_and(|sysroot| libraries(sysroot).is_dir()) {
        return Ok(Done::Present);
    }
    step::run(Command::new("rustup").current_dir(place::workspace()).args(["target", "add", TARGET])).map_err(
        |failure| {
            failure.help(format!(
                "with rustup from https://rustup.rs, run `rustup target add {TARGET}`; else install your \
             system's {TARGET} standard library"
            ))
        },
    )
}

/// A program that comes as a crate.
struct Tool {
    program: &'static str,
    package: &'static str,
    flags: &'static [&'static str],
    /// How much the compiler optimizes it: as much as its own running time is worth.
    optimization: &'static str,
}

/// Its version must be that of the crate. Without `--locked`: its lock file may name crates that a mirror of the
/// registry does not have yet.
const WASM_BINDGEN: Tool = Tool { program: "wasm-bindgen", package: "wasm-bindgen-cli", flags: &[], optimization: "3" };
/// Without TLS trunk cannot download anything, which it must not, and compiles in half the time.
const TRUNK: Tool =
    Tool { program: "trunk", package: "trunk", flags: &["--locked", "--no-default-features"], optimization: "1" };

impl Tool {
    fn install(&self, home: &Home, version: &str) -> Result<Done, Failure> {
        if home.tool(self.program, version).is_some() {
            return Ok(Done::Present);
        }
        println!("      {} {version} is built from source, once; this takes minutes", self.package);
        let mut command = cargo();
        command.args(["install", "--quiet", "--force", "--root"]).arg(home.tools()).args(self.flags);
        command.arg(format!("{}@{version}", self.package));
        // Cargo's own temporary folder keeps it out of ours, and quick to build is worth more here than quick to run.
        command.env_remove("CARGO_TARGET_DIR");
        command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", self.optimization);
        command.env("CARGO_PROFILE_RELEASE_LTO", "off");
        command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        step::run(&mut command).map_err(|failure| {
            failure.help("it needs a C compiler and the crates registry: see the first error above, then try again")
        })
    }
}

/// The version of the `wasm-bindgen` crate that the page is built with; the tool must be of the same.
fn wasm_bindgen_version() -> Result<String, Failure> {
    let path = place::workspace().join("Cargo.lock");
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    locked_version(&text, "wasm-bindgen").ok_or_else(|| Failure::new("Cargo.lock does not hold wasm-bindgen"))
}

fn locked_version(lock: &str, package: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let packages = lock.get("package")?.as_array()?;
    let found = packages.iter().find(|entry| entry.get("name").and_then(toml::Value::as_str) == Some(package))?;
    Some(found.get("version")?.as_str()?.to_owned())
}

/// What set-up needs to know of a model.
#[derive(Debug, PartialEq, Eq)]
struct Model {
    file: String,
    bytes: u64,
}

impl Model {
    fn find(name: &str) -> Result<Self, Failure> {
        let path = place::workspace().join("models/manifest.toml");
        let text =
            std::fs::read_to_string(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        Self::parse(&text, name)
            .ok_or_else(|| Failure::new(format!("{} has no model {name} with a file and bytes", path.display())))
    }

    /// Its file, if it is there in full; what it holds is checked by hash whenever it is fetched.
    fn path(&self, home: &Home) -> Option<PathBuf> {
        let path = home.models().join(&self.file);
        path.metadata().is_ok_and(|metadata| metadata.len() == self.bytes).then_some(path)
    }

    fn parse(manifest: &str, name: &str) -> Option<Self> {
        let manifest: toml::Table = manifest.parse().ok()?;
        let models = manifest.get("model")?.as_array()?;
        let model = models.iter().find(|entry| entry.get("name").and_then(toml::Value::as_str) == Some(name))?;
        let bytes = u64::try_from(model.get("bytes")?.as_integer()?).ok()?;
        Some(Self { file: model.get("file")?.as_str()?.to_owned(), bytes })
    }
}

fn is_debian() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| line == "ID=debian")
}

fn is_root() -> bool {
    step::first_line(Command::new("id").arg("-u")).as_deref() == Some("0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_follows_the_lock_file() {
        let lock = "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"wasm-bindgen\"\n\
                    version = \"0.2.130\"\ndependencies = [\"a\"]\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(locked_version(lock, "b"), None);
        assert_eq!(locked_version("not a lock file", "a"), None);
        assert!(wasm_bindgen_version().is_ok(), "this project's own lock file");
    }

    #[test]
    fn the_model_is_read_from_the_manifest() {
        let manifest = "[[model]]\nname = \"small\"\nfile = \"small.gguf\"\nbytes = 12\n";
        assert_eq!(Model::parse(manifest, "small"), Some(Model { file: "small.gguf".to_owned(), bytes: 12 }));
        assert_eq!(Model::parse(manifest, "large"), None);
    }
}
