//! An error as the page shows it: what happened, in plain words, and one way on.

use candor::error::{Error, Kind};

/// The way on that a notice offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayOn {
    /// Do the same again.
    Retry,
    /// Load the page anew: another version of it is on the server.
    Reload,
    /// Start the worker again; text and task stay.
    Restart,
    /// See what is stored, and remove some of it.
    Storage,
    /// Choose another model.
    ChooseModel,
    /// Change what was entered: the words say where.
    None,
}

impl WayOn {
    /// The words on the button.
    pub fn button(self) -> Option<&'static str> {
        match self {
            Self::Retry => Some("Try again"),
            Self::Reload => Some("Reload the page"),
            Self::Restart => Some("Restart the engine"),
            Self::Storage => Some("See what is stored"),
            Self::ChooseModel => Some("Choose another model"),
            Self::None => None,
        }
    }
}

/// What a person reads when something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened, a few words.
    pub title: String,
    /// The particulars.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The button.
    pub way_on: WayOn,
}

/// Where it happened: the same kind of failure asks for another way on when a model is loaded than when a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Loading a model.
    Loading,
    /// Loading a model whose content is known: another content is a damaged download.
    LoadingKnown,
    /// Preparing a task.
    Preparing,
    /// Applying an adapter.
    Adapting,
    /// Classifying a text.
    Classifying,
}

impl Notice {
    /// The notice for a failure; nothing for a cancel, which is not one.
    pub fn new(error: &Error, doing: Doing) -> Option<Self> {
        let doing = match (error.kind, doing) {
            (Kind::Format, Doing::LoadingKnown) => Doing::LoadingKnown,
            (_, Doing::LoadingKnown) => Doing::Loading,
            (_, other) => other,
        };
        let (title, help, way_on) = match (error.kind, doing) {
            (Kind::Cancelled, _) => return None,
            (_, Doing::LoadingKnown) => {
                ("This is not the model that was asked for", "Try again: nothing of it was kept.", WayOn::Retry)
            }
            (Kind::Lost, _) => (
                "The engine stopped",
                "Your text and task are still here. Restarting takes a moment; a stored model is not downloaded again.",
                WayOn::Restart,
            ),
            (_, Doing::Adapting) => {
                ("This adapter cannot be used", "The model goes on without it, as before.", WayOn::None)
            }
            (Kind::Network, _) => (
                "The model could not be downloaded",
                "Check the connection and try again: what has arrived so far is not lost. Or choose a file from this \
                 device.",
                WayOn::Retry,
            ),
            (Kind::Resource, Doing::Loading) => (
                "Not enough room on this device",
                "Remove stored models that you no longer need, close other tabs, or choose a smaller model.",
                WayOn::Storage,
            ),
            (Kind::Resource, _) => {
                ("Not enough memory", "Close other tabs or shorten the text, then restart the engine.", WayOn::Restart)
            }
            (Kind::Format | Kind::Unsupported, Doing::Loading) => {
                ("This file cannot be used", "Choose a GGUF file of a Llama-type model.", WayOn::ChooseModel)
            }
            (Kind::Input | Kind::Usage | Kind::Format | Kind::Unsupported, Doing::Preparing) => (
                "This task cannot be used yet",
                "Change the task below; until then the last working version stays in use.",
                WayOn::None,
            ),
            (Kind::Input | Kind::Usage | Kind::Format | Kind::Unsupported, Doing::Classifying) => {
                ("This text could not be classified", "Change the text or the task.", WayOn::None)
            }
            (Kind::Io, Doing::Loading) => (
                "The model could not be read",
                "Try again; if it fails again, choose the file from this device.",
                WayOn::Retry,
            ),
            (_, Doing::Loading) => {
                ("The model could not be loaded", "Try again, or choose another model.", WayOn::Retry)
            }
            (_, _) => ("Something went wrong", "Restart the engine; your text and task stay.", WayOn::Restart),
        };
        Some(Self {
            title: title.to_owned(),
            message: sentence(&place_and_message(error)),
            help: error.help.as_deref().map_or_else(|| help.to_owned(), sentence),
            way_on,
        })
    }

    /// Page and worker come from different versions.
    pub fn protocol_mismatch(page: u32, worker: u32) -> Self {
        Self {
            title: "This page has been updated".to_owned(),
            message: format!("The page speaks version {page}, its engine version {worker}."),
            help: "Reload to get both from the same version. Your text and tasks are kept.".to_owned(),
            way_on: WayOn::Reload,
        }
    }
}

fn place_and_message(error: &Error) -> String {
    let without_help = Error { help: None, ..error.clone() };
    without_help.to_string()
}

/// A message as a sentence: a capital at its front, a full stop at its end; names of files and fields stay as they are.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return String::new() };
    let first_word = text.split_whitespace().next().unwrap_or("");
    let is_word = first_word.chars().all(char::is_alphabetic);
    let mut result = if is_word { first.to_uppercase().to_string() } else { first.to_string() };
    result.push_str(characters.as_str());
    if !result.ends_with(['.', '!', '?']) {
        result.push('.');
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_says_what_to_do() {
        use Kind::*;
        for kind in [Usage, Input, Format, Unsupported, Io, Network, Resource, Lost, Internal] {
            for doing in [Doing::Loading, Doing::LoadingKnown, Doing::Preparing, Doing::Classifying] {
                let notice = Notice::new(&Error::new(kind, "it broke"), doing).expect("a failure");
                assert!(!notice.title.is_empty() && !notice.help.is_empty(), "{kind:?} {doing:?}");
                assert_eq!(notice.message, "It broke.");
            }
        }
        assert_eq!(Notice::new(&Error::new(Cancelled, "cancelled"), Doing::Loading), None);
    }

    #[test]
    fn ways_on_fit_the_failure() {
        for (kind, doing, way_on) in [
            (Kind::Lost, Doing::Classifying, WayOn::Restart),
            (Kind::Network, Doing::Loading, WayOn::Retry),
            (Kind::Resource, Doing::Loading, WayOn::Storage),
            (Kind::Unsupported, Doing::Loading, WayOn::ChooseModel),
            (Kind::Format, Doing::Loading, WayOn::ChooseModel),
            (Kind::Format, Doing::LoadingKnown, WayOn::Retry),
            (Kind::Resource, Doing::LoadingKnown, WayOn::Storage),
            (Kind::Input, Doing::Preparing, WayOn::None),
        ] {
            assert_eq!(Notice::new(&Error::new(kind, "x"), doing).map(|notice| notice.way_on), Some(way_on));
        }
        assert_eq!(Notice::protocol_mismatch(1, 2).way_on, WayOn::Reload);
    }

    #[test]
    fn the_error_s_own_place_and_help_win() {
        let error = Error::new(Kind::Format, "magic is not GGUF").at_file("a.zip").help("choose a .gguf file");
        let notice = Notice::new(&error, Doing::Loading).expect("a failure");
        assert_eq!(notice.message, "a.zip: magic is not GGUF.");
        assert_eq!(notice.help, "Choose a .gguf file.");
    }

    #[test]
    fn sentences_leave_names_alone() {
        for (text, expected) in [
            ("no room", "No room."),
            ("", ""),
            ("model.gguf is short", "model.gguf is short."),
            ("\"labels\": empty", "\"labels\": empty."),
            ("Really?", "Really?"),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
}
