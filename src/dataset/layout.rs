//! What a reader took a file's columns or keys for: what a person looks at before anything is computed.
//!
//! Readers guess, and a guess can be wrong: whoever shows the rows shows this beside them, and reads again with
//! [`Options`](super::Options) that name the right fields.

use serde::{Deserialize, Serialize};

use super::LabelFrom;
use super::fields::Fields;

/// The fields of a table, or of the first object of JSON lines, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// All of them, in the file's order; empty for plain text.
    pub fields: Vec<String>,
    /// The one that is read as the text.
    pub text: Option<String>,
    /// The one that is read as the label.
    pub label: Option<String>,
    /// The one that is read as the subgroup.
    pub group: Option<String>,
    /// The one that is read as the id.
    pub id: Option<String>,
    /// The byte between them; nothing where it is no table.
    #[serde(default)]
    pub delimiter: Option<u8>,
    /// What of a text file's name is its rows' label, where anything is.
    #[serde(default)]
    pub label_from: Option<LabelFrom>,
}

impl Layout {
    pub(super) fn new(names: &[&str], fields: &Fields) -> Self {
        let named = |place: Option<usize>| place.and_then(|place| names.get(place)).map(|name| (*name).to_owned());
        Self {
            fields: names.iter().map(|name| (*name).to_owned()).collect(),
            text: named(fields.text),
            label: named(fields.label),
            group: named(fields.group),
            id: named(fields.id),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, read};
    use super::*;

    fn layout(name: &str, text: &str, options: &Options) -> Layout {
        read(name, text.as_bytes(), options).expect("readable").layout
    }

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_was_taken_for_what() {
        let table = "id,review,stars,shop\n1,A fine day,good,x\n2,A sad day,bad,x\n";
        let expected = Layout {
            fields: texts(&["id", "review", "stars", "shop"]),
            text: Some("review".into()),
            label: Some("stars".into()),
            group: None,
            id: Some("id".into()),
            delimiter: Some(b','),
            label_from: None,
        };
        assert_eq!(layout("a.csv", table, &Options::default()), expected);
        let other = Options { label_field: Some("shop".into()), ..Options::default() };
        assert_eq!(layout("a.csv", table, &other).label.as_deref(), Some("shop"));
        assert_eq!(layout("a.txt", "A line\n", &Options::default()), Layout::default());
    }

    #[test]
    fn json_lines_show_the_first_row_s_keys() {
        let flat =
            layout("a.jsonl", "{\"sentence\": \"a\", \"label\": 1}\n{\"sentence\": \"b\"}\n", &Options::default());
        assert_eq!((flat.text.as_deref(), flat.label.as_deref()), (Some("sentence"), Some("label")));
        let chat = "{\"messages\": [{\"role\": \"user\", \"content\": \"q\"}], \"n\": 1}\n";
        let chat = layout("a.jsonl", chat, &Options::default());
        assert_eq!((chat.fields, chat.text, chat.label), (texts(&["messages", "n"]), Some("messages".into()), None));
    }
}
