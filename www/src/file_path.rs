//! Where a file lay in the folder that it was picked or dropped with: a folder's name may be its files' label.
//!
//! A browser says it of picked folders only; of a dropped one, who walks it notes it on the file.

use js_sys::Reflect;

/// The property that keeps the path of a dropped file.
const PATH: &str = "candorPath";

/// Notes the path of a file from a dropped folder.
pub fn note_path(file: &web_sys::File, path: &str) {
    // A file that takes no property is called by its name.
    let _ = Reflect::set(file, &PATH.into(), &path.trim_start_matches('/').into());
}

/// A file's path in the folder that it came with; its name where it came by itself.
pub fn path_of(file: &web_sys::File) -> String {
    let property = |name: &str| Reflect::get(file, &name.into()).ok()?.as_string().filter(|path| !path.is_empty());
    property(PATH).or_else(|| property("webkitRelativePath")).unwrap_or_else(|| file.name())
}
