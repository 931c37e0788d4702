//! Where things lie: the workspace, and the cache folder that all clones share.

use std::path::{Path, PathBuf};

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder that holds models and tools: `CANDOR_HOME`, else `candor` in the platform's cache folder.
/// The `candor` command chooses the same one.
pub fn home() -> Option<PathBuf> {
    std::env::var_os("CANDOR_HOME")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(directories::BaseDirs::new()?.cache_dir().join("candor")))
}

/// A program by name: in one of `first`, else on the `PATH`.
pub fn program(name: &str, first: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    first
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(&file))
        .find(|file| file.is_file())
}

/// A variable that is set to something other than nothing, `0` or `false`, as continuous integration sets `CI`.
pub fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}
