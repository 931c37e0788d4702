//! Where tests find what nobody here wrote: the default model and the reference values beside the project.

use std::path::{Path, PathBuf};

/// A file of the reference folder beside the project, or `None` (with a line saying so) where there is none.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if !file.exists() {
        eprintln!("skipped: {path} is not beside the project");
        return None;
    }
    Some(file)
}

/// The default model in the cache folder, or `None` (with a line saying so). In CI its absence is a failure.
pub fn default_model() -> Option<PathBuf> {
    let found = candor::cli::store::resolve("smollm2-135m");
    match found {
        Ok(path) => Some(path),
        Err(error) if std::env::var_os("CI").is_some() => panic!("the default model is needed in CI: {error}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}
