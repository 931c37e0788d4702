//! The house's rules as ordinary tests: which module may import which, what stays out of the pure floors and of the
//! page, and what does not belong into the project's files at all.
//!
//! The rules are read off the sources as text, comments and strings left out, so that a rule names a file and a line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Floors of the root crate's modules. `lib.rs` and `main.rs` stand above them all.
const FLOORS: [(&str, u8); 18] = [
    ("error", 0),
    ("platform", 0),
    ("numeric", 0),
    ("formula", 0),
    ("stats", 1),
    ("chart", 1),
    ("task", 1),
    ("dataset", 1),
    ("protocol", 2),
    ("gguf", 3),
    ("tokenizer", 3),
    ("engine", 4),
    ("classify", 5),
    ("evaluate", 6),
    ("train", 6),
    ("baselines", 6),
    ("cli", 7),
    ("main", 8),
];

/// Neighbours on a floor do not import each other, but for these: the tokenizer is read from a model file's metadata.
const NEIGHBOURS: [(&str, &str); 1] = [("tokenizer", "gguf")];

/// A file with this many lines has more than one subject until the contrary is shown.
const LONG_FILE: usize = 500;

struct Source {
    /// Path from the workspace, with slashes.
    path: String,
    /// The text with comments and strings blanked, line by line as in the file.
    code: String,
}

impl Source {
    /// The module of the root crate that a file under `src/` belongs to.
    fn module(&self) -> Option<&str> {
        let name = self.path.strip_prefix("src/")?.split('/').next()?;
        Some(name.strip_suffix(".rs").unwrap_or(name))
    }

    /// Lines of code that contain `needle`, as `path:line`.
    fn places<'a>(&'a self, needle: &'a str) -> impl Iterator<Item = String> + 'a {
        let lines = self.code.lines().enumerate();
        lines.filter(move |(_, line)| line.contains(needle)).map(|(at, _)| format!("{}:{}", self.path, at + 1))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below `folder`, sorted, without hidden and built ones.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
            if hidden || matches!(&*name, "target" | "dist" | "node_modules") {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn sources(below: &str) -> Vec<Source> {
    let rust = files_below(&root().join(below)).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    rust.map(|path| {
        let text = std::fs::read_to_string(&path).expect("a source file is UTF-8");
        Source { path: relative(&path), code: blank(&text) }
    })
    .collect()
}

fn relative(path: &Path) -> String {
    let below = path.strip_prefix(root()).expect("below the workspace");
    below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Blanks comments, strings and character literals, and keeps every line where it was.
fn blank(text: &str) -> String {
    #[derive(Clone, Copy, PartialEq)]
    enum In {
        Code,
        LineComment,
        BlockComment(u32),
        Text,
        RawText(usize),
    }
    let bytes: Vec<char> = text.chars().collect();
    let mut state = In::Code;
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let starts = |at: usize, with: &str| with.chars().enumerate().all(|(i, c)| bytes.get(at + i) == Some(&c));
    while at < bytes.len() {
        let here = bytes[at];
        let mut step = 1;
        let mut keep = false;
        match state {
            In::Code => {
                let raw = raw_text_begins(&bytes, at);
                if starts(at, "//") {
                    state = In::LineComment;
                } else if starts(at, "/*") {
                    (state, step) = (In::BlockComment(1), 2);
                } else if let Some(hashes) = raw {
                    (state, step) = (In::RawText(hashes), 2 + hashes);
                } else if here == '"' {
                    state = In::Text;
                } else if let Some(length) = character_literal(&bytes, at) {
                    step = length;
                } else {
                    keep = true;
                }
            }
            In::LineComment if here == '\n' => state = In::Code,
            In::BlockComment(depth) => {
                if starts(at, "/*") {
                    (state, step) = (In::BlockComment(depth + 1), 2);
                } else if starts(at, "*/") {
                    (state, step) = (if depth == 1 { In::Code } else { In::BlockComment(depth - 1) }, 2);
                }
            }
            In::Text if here == '\\' => step = 2,
            In::Text if here == '"' => state = In::Code,
            In::RawText(hashes) if here == '"' && starts(at + 1, &"#".repeat(hashes)) => {
                (state, step) = (In::Code, 1 + hashes);
            }
            _ => {}
        }
        for &character in bytes.iter().skip(at).take(step) {
            out.push(if keep || character == '\n' { character } else { ' ' });
        }
        at += step;
    }
    out
}

/// The number of hashes if `r"` or `r#"` begins at `at` and is no part of a longer name.
fn raw_text_begins(text: &[char], at: usize) -> Option<usize> {
    let inside_name = at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_') && text[at - 1] != 'b';
    if text[at] != 'r' || inside_name {
        return None;
    }
    let hashes = text[at + 1..].iter().take_while(|&&c| c == '#').count();
    (text.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// The length of a character literal at `at`; a lifetime is none.
fn character_literal(text: &[char], at: usize) -> Option<usize> {
    if text[at] != '\'' {
        return None;
    }
    if text.get(at + 1) == Some(&'\\') {
        let end = text[at + 3..].iter().position(|&c| c == '\'')?;
        return Some(end + 4);
    }
    (text.get(at + 2) == Some(&'\'')).then_some(3)
}

/// Paths behind `crate::` (or `candor::`): the first segments, through braces.
fn imported<'a>(code: &'a str, prefix: &str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices(prefix) {
        let before = code[..start].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let line = code[..start].matches('\n').count() + 1;
        let rest = &code[start + prefix.len()..];
        let first = |text: &'a str| {
            let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
            &text[..end]
        };
        match rest.strip_prefix('{') {
            None => found.push((line, first(rest))),
            Some(group) => {
                let mut depth = 0;
                let mut begins = true;
                for (at, character) in group.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        c if begins && (c.is_alphanumeric() || c == '_') => {
                            found.push((line, first(&group[at..])));
                            begins = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Fails with all offences at once.
fn none(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

#[test]
fn imports_go_downward_only() {
    let mut offences = Vec::new();
    for source in sources("src") {
        let Some(module) = source.module().filter(|&module| module != "lib") else { continue };
        let Some(own) = floor(module) else {
            offences.push(format!("{}: module {module} has no floor; add it to FLOORS", source.path));
            continue;
        };
        let prefix = if module == "main" { "candor::" } else { "crate::" };
        for (line, target) in imported(&source.code, prefix) {
            // `crate::Error` and `crate::Result` stand for the error floor; lib.rs re-exports them.
            let Some(below) = floor(target) else { continue };
            if target != module && below >= own && own != 0 && !NEIGHBOURS.contains(&(module, target)) {
                offences
                    .push(format!("{}:{line}: {module} (floor {own}) imports {target} (floor {below})", source.path));
            }
            if own == 0 && below > 0 {
                offences.push(format!("{}:{line}: {module} (floor 0) imports {target} (floor {below})", source.path));
            }
        }
    }
    none("a module imports only from floors below its own", offences);
}

#[test]
fn the_two_backends_do_not_know_each_other() {
    let mut offences = Vec::new();
    for source in sources("src/engine") {
        for (folder, other) in [("src/engine/cpu", "gpu"), ("src/engine/gpu", "cpu")] {
            if source.path.starts_with(folder) {
                for path in [format!("engine::{other}"), format!("super::{other}"), format!("super::super::{other}")] {
                    offences.extend(source.places(&path));
                }
            }
        }
    }
    none("engine/cpu and engine/gpu are siblings", offences);
}

#[test]
fn the_page_knows_the_lowest_floors_only() {
    // The engine lives in the worker: its program, its loop, and the model files that it keeps.
    let of_the_worker = ["www/src/bin/", "www/src/worker/", "www/src/engine/", "www/src/store/"];
    let mut offences = Vec::new();
    for source in sources("www/src") {
        if of_the_worker.iter().any(|folder| source.path.starts_with(folder)) {
            continue;
        }
        for (line, target) in imported(&source.code, "candor::") {
            if floor(target).is_some_and(|floor| floor > 2) {
                offences.push(format!("{}:{line}: the page imports candor::{target}", source.path));
            }
        }
    }
    none("the page uses floors 0 to 2; the engine lives in the worker", offences);
}

#[test]
fn pure_floors_do_no_io_and_know_no_tensor_library() {
    let mut offences = Vec::new();
    for source in sources("src") {
        let pure = source.module().and_then(floor).is_some_and(|floor| floor <= 2);
        if !pure || source.path == "src/platform.rs" {
            continue;
        }
        for needle in ["std::fs", "std::net", "std::process", "std::env", "candle", "wgpu", "tokenizers::"] {
            offences.extend(source.places(needle).map(|place| format!("{place}: {needle}")));
        }
    }
    none("floors 0 to 2 are pure", offences);
}

#[test]
fn what_a_browser_lacks_stays_where_it_is_allowed() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("std::time::Instant", &["src/platform.rs", "src/cli/", "xtask/"][..]),
        ("Instant::now", &["src/platform.rs", "src/cli/", "xtask/"][..]),
        ("SystemTime", &["src/platform.rs", "src/cli/", "xtask/"][..]),
        ("std::fs", &["src/platform.rs", "src/cli/", "src/train/", "xtask/"][..]),
        ("std::thread", &["src/platform.rs", "src/cli/", "src/train/", "xtask/"][..]),
        ("target_arch", &["src/platform.rs", "src/lib.rs", "src/main.rs", "src/engine/cpu/"][..]),
    ]);
    let mut offences = Vec::new();
    for source in sources("src").into_iter().chain(sources("www/src")).chain(sources("xtask/src")) {
        // Unit tests run natively and may read their fixtures.
        let before_tests = source.code.find("#[cfg(test)]").map_or(source.code.len(), |at| at);
        let source = Source { code: source.code[..before_tests].to_owned(), ..source };
        for (needle, places) in &allowed {
            if !places.iter().any(|place| source.path.starts_with(place)) && !source.path.ends_with("tests.rs") {
                offences.extend(source.places(needle).map(|place| format!("{place}: {needle}")));
            }
        }
    }
    none("time, files, threads and target switches have their places", offences);
}

/// What runs natively and in the browser computes with [`candor::numeric`]'s functions: the platforms' own differ in
/// the last bit, and then the same rows have two fingerprints.
#[test]
fn elementary_functions_are_the_same_on_every_platform() {
    let methods = "exp exp2 exp_m1 ln ln_1p log log2 log10 powf cbrt hypot sin cos tan sin_cos asin acos atan atan2 sinh \
                   cosh tanh";
    let mut offences = Vec::new();
    for source in sources("src") {
        let both = source.module().and_then(floor).is_some_and(|floor| floor <= 6)
            && !["src/train/", "src/baselines/", "src/engine/gpu/", "src/engine/ladder.rs", "src/numeric.rs"]
                .iter()
                .any(|native| source.path.starts_with(native));
        if !both || source.path.ends_with("tests.rs") || source.path.contains("/tests/") {
            continue;
        }
        let before_tests = source.code.find("#[cfg(test)]").map_or(source.code.len(), |at| at);
        let source = Source { code: source.code[..before_tests].to_owned(), ..source };
        for name in methods.split_whitespace() {
            for needle in [format!(".{name}("), format!("f64::{name}"), format!("f32::{name}")] {
                offences.extend(source.places(&needle).map(|place| format!("{place}: {needle}")));
            }
        }
    }
    none("elementary functions are those of crate::numeric", offences);
}

#[test]
fn nothing_of_a_machine_is_in_the_files() {
    // Put together here, so that this file does not offend against itself.
    let home = ["/ho", "me/"].concat();
    let needles =
        [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), home, ["C:\\Us", "ers"].concat(), ["/Us", "ers/"].concat()];
    let registries = ["index.crates", "static.crates", "files.python", "registry.npm", "deb.debian"]
        .map(|host| [host, "."].concat());
    let mut offences = Vec::new();
    for path in files_below(root()) {
        let name = relative(&path);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        if name == "Cargo.lock" || name.ends_with("/Cargo.lock") {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            for needle in needles.iter().chain(&registries) {
                if let Some(found) = line.find(needle.as_str()) {
                    // `…/framework/…` is no path of a machine: the path begins a word.
                    let before = line[..found].chars().next_back();
                    if !needle.starts_with('/') || before.is_none_or(|c| !c.is_alphanumeric() && !"._-".contains(c)) {
                        offences.push(format!("{name}:{}: {needle}", at + 1));
                    }
                }
            }
        }
    }
    none("no paths of a machine and no registry hosts", offences);
}

#[test]
fn long_files_are_listed() {
    let mut long: Vec<_> = ["src", "www/src", "xtask/src", "tests"]
        .into_iter()
        .flat_map(sources)
        .map(|source| (source.code.lines().count(), source.path))
        .filter(|(lines, _)| *lines > LONG_FILE)
        .collect();
    long.sort_by(|a, b| b.cmp(a));
    for (lines, path) in &long {
        println!("{path}: {lines} lines: one subject?");
    }
    let hopeless: Vec<_> =
        long.iter().filter(|(lines, _)| *lines > 2 * LONG_FILE).map(|(n, p)| format!("{p}: {n}")).collect();
    none("a file has one subject", hopeless);
}

/// The rules above rest on this reading of Rust: checked on the cases that would fool a plain search.
#[test]
fn sources_are_read_as_code() {
    let code = blank(concat!(
        "use crate::stats; // crate::cli\n",
        "let a = \"crate::cli \\\" crate::cli\"; /* crate::cli /* crate::cli */ crate::cli */\n",
        "let b = r#\"crate::cli \" crate::cli\"#; let c = '\"'; let d: &'static str = x;\n",
        "use crate::{error::{Error, Kind}, engine::cpu, task};\n",
        "macro_crate::cli; let e = '\\''; crate::gguf::read()",
    ));
    assert_eq!(code.lines().count(), 5);
    let found: Vec<_> = imported(&code, "crate::").into_iter().collect();
    assert_eq!(found, [(1, "stats"), (4, "error"), (4, "engine"), (4, "task"), (5, "gguf")]);
}
