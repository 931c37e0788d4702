//! Which column or key is the text, the label, the subgroup, the id.
//!
//! Names are compared without regard to case and surrounding space. A name the user gave must be there; otherwise the
//! first common name that is there wins, in an order that puts the plainest names first.

use serde::{Deserialize, Serialize};

use super::Options;
use crate::error::{Error, Result};

/// How a person says which field is which, for the help in errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// By a command's flags.
    #[default]
    Flags,
    /// By choosing from lists, once something was read.
    Lists,
}

impl Naming {
    /// The end of a help: how to name the field of this flag.
    pub(super) fn or_name_it(self, flag: &str) -> String {
        match self {
            Self::Flags => format!(", or name it with {flag}"),
            Self::Lists => String::new(),
        }
    }

    /// The end of a help where one was named that is not there, or none can be found.
    pub(super) fn name_the_right_one(self, flag: &str) -> String {
        match self {
            Self::Flags => format!("; name the right one with {flag}"),
            Self::Lists => "; choose one of these".to_owned(),
        }
    }
}

/// Common names of the text, most telling first.
const TEXT: [&str; 19] = [
    "text",
    "sentence",
    "review",
    "content",
    "body",
    "message",
    "comment",
    "tweet",
    "document",
    "description",
    "input",
    "question",
    "query",
    "utterance",
    "prompt",
    "review_text",
    "review_body",
    "headline",
    "title",
];
/// Common names of the label. `expected` comes first: beside it, a `label` is what somebody predicted.
const LABEL: [&str; 17] = [
    "expected",
    "label",
    "target",
    "class",
    "sentiment",
    "emotion",
    "intent",
    "topic",
    "category",
    "answer",
    "output",
    "gold",
    "y",
    "rating",
    "stars",
    "tag",
    "outcome",
];
/// Common names of a subgroup.
const GROUP: [&str; 5] = ["group", "subgroup", "domain", "category", "source"];
/// Common names of an id.
const ID: [&str; 6] = ["id", "_id", "uid", "guid", "uuid", "idx"];

/// A field's place among the names.
pub(super) type Place = usize;

/// The places of the fields among a table's or an object's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub text: Option<Place>,
    pub label: Option<Place>,
    pub group: Option<Place>,
    pub id: Option<Place>,
}

impl Fields {
    /// Finds the fields among the names. The text may be missing; a name that the options give may not.
    pub fn find(names: &[&str], options: &Options) -> Result<Self> {
        let given = |name: &Option<String>, flag: &str| match name {
            None => Ok(None),
            Some(name) => position(names, name).map(Some).ok_or_else(|| missing(name, names, flag, options.naming)),
        };
        let mut fields = Self {
            text: given(&options.text_field, "--text-field")?,
            label: given(&options.label_field, "--label-field")?,
            group: given(&options.group_field, "--group-field")?,
            id: given(&options.id_field, "--id-field")?,
        };
        let guess = |common: &[&str], taken: &Self| {
            let free = |place: &Place| ![taken.text, taken.label, taken.group, taken.id].contains(&Some(*place));
            common.iter().filter_map(|name| position(names, name)).find(free)
        };
        if fields.text.is_none() {
            fields.text = guess(&TEXT, &fields);
        }
        if options.no_label {
            fields.label = None;
        } else if fields.label.is_none() {
            fields.label = guess(&LABEL, &fields);
        }
        if fields.group.is_none() {
            fields.group = guess(&GROUP, &fields);
        }
        if fields.id.is_none() {
            fields.id = guess(&ID, &fields);
        }
        Ok(fields)
    }
}

fn position(names: &[&str], wanted: &str) -> Option<Place> {
    names
        .iter()
        .position(|name| *name == wanted)
        .or_else(|| names.iter().position(|name| name.trim().eq_ignore_ascii_case(wanted.trim())))
}

/// The error for a field that is not there.
pub(super) fn missing(name: &str, names: &[&str], flag: &str, naming: Naming) -> Error {
    Error::input(format!("there is no field {name:?}")).in_field(name).help(format!(
        "the fields are {}{}",
        list(names),
        naming.name_the_right_one(flag)
    ))
}

/// `"a", "b", "c"`, shortened after a dozen.
pub(super) fn list(names: &[&str]) -> String {
    let shown: Vec<_> = names.iter().take(12).map(|name| format!("{name:?}")).collect();
    match names.len() {
        0 => "none".to_owned(),
        1..=12 => shown.join(", "),
        more => format!("{} and {} more", shown.join(", "), more - 12),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_win() {
        let cases: [(&[&str], [Option<usize>; 4]); 8] = [
            (&["text", "label"], [Some(0), Some(1), None, None]),
            (&["Label", " TEXT "], [Some(1), Some(0), None, None]),
            (&["id", "title", "text", "category", "label"], [Some(2), Some(4), Some(3), Some(0)]),
            (&["text", "label", "expected", "labels"], [Some(0), Some(2), None, None]),
            (&["review", "sentiment"], [Some(0), Some(1), None, None]),
            (&["sentence", "category"], [Some(0), Some(1), None, None]),
            (&["a", "b"], [None, None, None, None]),
            (&["question", "answer", "source"], [Some(0), Some(1), Some(2), None]),
        ];
        for (names, [text, label, group, id]) in cases {
            let found = Fields::find(names, &Options::default()).unwrap();
            assert_eq!(found, Fields { text, label, group, id }, "{names:?}");
        }
    }

    #[test]
    fn given_names_must_be_there() {
        let options = Options { label_field: Some("kind".into()), ..Options::default() };
        assert_eq!(Fields::find(&["text", "label", "kind"], &options).unwrap().label, Some(2));
        let error = Fields::find(&["text", "label"], &options).unwrap_err();
        let help = error.help.unwrap();
        assert!(help.contains("\"text\", \"label\"") && help.contains("--label-field"), "{help}");
    }

    #[test]
    fn a_page_s_help_names_no_flags() {
        let missing = Options { label_field: Some("kind".into()), naming: Naming::Lists, ..Options::default() };
        let page = Options { naming: Naming::Lists, ..Options::default() };
        for (name, bytes, options) in [
            ("a.csv", &b"text,label\na,b\n"[..], &missing),
            ("a.csv", b"label\ngood\n", &page),
            ("a.jsonl", b"{\"a\": \"x\", \"b\": \"y\"}\n", &page),
            ("a.jsonl", b"{\"text\": \"x\"}\n", &missing),
            ("a.jsonl", b"{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}]}\n", &missing),
        ] {
            let error = super::super::read(name, bytes, options).unwrap_err();
            let help = error.help.unwrap();
            assert!(!help.contains("--") && help.contains("are"), "{help}");
        }
    }

    #[test]
    fn no_label_is_guessed_where_there_is_none() {
        let options = Options { no_label: true, ..Options::default() };
        let found = Fields::find(&["text", "label", "group"], &options).unwrap();
        assert_eq!((found.label, found.group), (None, Some(2)));
    }
}
