//! A row's cells, checked: ranges, agreement of outcome and labels, the same labels in every row.

use indexmap::IndexMap;

use super::cells::{Cell, Cells};
use super::{LabelScore, Options, Row};
use crate::dataset::fields;
use crate::error::{Error, Result};

/// How far beyond its range a probability may be through rounding; it is put back to the end of its range.
const ROUNDING: f64 = 1e-6;

/// Line and column of a key's value.
pub(super) type Place<'a> = &'a dyn Fn(&str) -> (u64, u64);

fn wrong(place: Place<'_>, key: &str, message: impl Into<String>) -> Error {
    let (line, column) = place(key);
    Error::input(message).at_line(line).at_column(column).in_field(key)
}

impl Cells {
    /// `first` is the file's first row: all rows must score the same labels.
    pub(super) fn into_row(
        self,
        line: u64,
        count: usize,
        options: Options,
        first: Option<&Row>,
        place: Place<'_>,
    ) -> Result<Row> {
        let label_is_true = self.label_is_true();
        let (expected, label) = if label_is_true {
            (("label", self.label), ("prediction", self.prediction))
        } else if self.prediction.is_some() {
            (("expected", self.expected.cell), ("prediction", self.prediction))
        } else {
            (("expected", self.expected.cell), ("label", self.label))
        };
        let expected = name(expected.1, expected.0, place)?;
        let label = name(label.1, label.0, place)?;
        let labels = scores(self.labels, place)?;
        let total_probability = probability(self.total_probability, "total_probability", place)?;
        let confidence = probability(self.confidence, "confidence", place)?.or(total_probability).ok_or_else(|| {
            wrong(place, "confidence", "the row has no confidence")
                .help("each row needs a number from 0 to 1; leave out rows that were not scored")
        })?;
        let row = Row {
            id: name(self.id, "id", place)?.unwrap_or_else(|| count.to_string()),
            text: text(self.text, "text", place)?,
            group: name(self.group, "group", place)?
                .map_or_else(|| name(self.category, "category", place), |g| Ok(Some(g)))?,
            correct: outcome(self.correct, expected.as_deref(), label.as_deref(), options, place)?,
            expected,
            label,
            labels,
            total_probability,
            share: probability(self.share, "share", place)?,
            other_mass: probability(self.other_mass, "other_mass", place)?,
            confidence,
            line,
        };
        row.check_labels(first, place)?;
        Ok(row)
    }
}

impl Row {
    /// Labels are among those scored, and the same are scored in every row.
    fn check_labels(&self, first: Option<&Self>, place: Place<'_>) -> Result<()> {
        if let Some(labels) = &self.labels {
            for (key, value) in [("expected", &self.expected), ("label", &self.label)] {
                if let Some(value) = value.as_deref().filter(|value| !labels.contains_key(*value)) {
                    let names: Vec<&str> = labels.keys().map(String::as_str).collect();
                    return Err(wrong(place, key, format!("{value:?} is none of the labels that were scored"))
                        .help(format!("the labels are {}; correct the row or leave it out", fields::list(&names))));
                }
            }
        }
        let Some(first) = first else { return Ok(()) };
        let same = match (&first.labels, &self.labels) {
            (None, None) => true,
            (Some(a), Some(b)) => a.len() == b.len() && a.keys().all(|key| b.contains_key(key)),
            _ => false,
        };
        if same {
            return Ok(());
        }
        Err(wrong(place, "labels", format!("this row scores other labels than line {}", first.line))
            .help("one file holds the predictions of one task; give files of different tasks separately"))
    }
}

fn compound(place: Place<'_>, key: &str) -> Error {
    wrong(place, key, "expected one value, found a list or an object").help("write one text or number")
}

/// A text as it stands.
fn text(cell: Option<Cell>, key: &str, place: Place<'_>) -> Result<Option<String>> {
    Ok(match cell {
        None => None,
        Some(Cell::Text(text)) => Some(text),
        Some(Cell::Bool(value)) => Some(value.to_string()),
        Some(Cell::Number(value)) => Some(value.to_string()),
        Some(Cell::Whole(value)) => Some(value.to_string()),
        Some(Cell::List | Cell::Object(_)) => return Err(compound(place, key)),
    })
}

/// A text without surrounding space; `None` where nothing is left.
fn name(cell: Option<Cell>, key: &str, place: Place<'_>) -> Result<Option<String>> {
    Ok(text(cell, key, place)?.and_then(|text| match text.trim() {
        "" => None,
        trimmed if trimmed.len() == text.len() => Some(text),
        trimmed => Some(trimmed.to_owned()),
    }))
}

fn number(cell: Option<Cell>, key: &str, place: Place<'_>) -> Result<Option<f64>> {
    let value = match cell {
        None => return Ok(None),
        Some(Cell::Number(value)) => value,
        Some(Cell::Whole(value)) => value as f64,
        Some(Cell::Bool(_)) => {
            return Err(wrong(place, key, "expected a number, found a truth value").help("write a number"));
        }
        Some(Cell::List | Cell::Object(_)) => return Err(compound(place, key)),
        Some(Cell::Text(text)) => text.trim().parse().map_err(|_| {
            wrong(place, key, format!("{:?} is no number", shortened(&text)))
                .help("write it with a decimal point and without a unit, e.g. 0.93")
        })?,
    };
    if value.is_nan() {
        return Err(wrong(place, key, "NaN is no number").help("leave out rows that were not scored"));
    }
    Ok(Some(value))
}

fn probability(cell: Option<Cell>, key: &str, place: Place<'_>) -> Result<Option<f64>> {
    let Some(value) = number(cell, key, place)? else { return Ok(None) };
    if !(-ROUNDING..=1.0 + ROUNDING).contains(&value) {
        let help = if value > 1.0 && value <= 100.0 {
            "a percentage is divided by 100: 93% is 0.93"
        } else {
            "a probability is from 0 to 1"
        };
        return Err(wrong(place, key, format!("{value} is not between 0 and 1")).help(help));
    }
    Ok(Some(value.clamp(0.0, 1.0)))
}

/// Each label's score: an object with logprob and share, or a bare share.
fn scores(cell: Option<Cell>, place: Place<'_>) -> Result<Option<IndexMap<String, LabelScore>>> {
    let help = "write {\"labels\": {\"NAME\": {\"logprob\": -0.1, \"share\": 0.9}, …}}";
    let scores = match cell {
        None => return Ok(None),
        Some(Cell::Object(scores)) if !scores.is_empty() => scores,
        Some(_) => return Err(wrong(place, "labels", "labels is not an object with scores").help(help)),
    };
    let score = |(name, score): (String, Option<Cell>)| {
        let (logprob, share) = match score {
            Some(Cell::Object(mut parts)) => {
                (parts.swap_remove("logprob").flatten(), parts.swap_remove("share").flatten())
            }
            other => (None, other),
        };
        let logprob = number(logprob, "labels", place)?;
        if let Some(value) = logprob.filter(|value| *value > ROUNDING) {
            let message = format!("the logprob of {name:?} is {value}, above 0");
            return Err(wrong(place, "labels", message).help("the logarithm of a probability is at most 0"));
        }
        let share = probability(share, "labels", place)?;
        Ok((name, LabelScore { logprob: logprob.map(|value| value.min(0.0)), share }))
    };
    scores.into_iter().map(score).collect::<Result<_>>().map(Some)
}

/// Whether the row is right: what it says, what its labels say, and that both agree.
fn outcome(
    cell: Option<Cell>,
    expected: Option<&str>,
    label: Option<&str>,
    options: Options,
    place: Place<'_>,
) -> Result<Option<bool>> {
    let said = match &cell {
        None => None,
        Some(Cell::Bool(value)) => Some(*value),
        Some(Cell::Whole(1)) => Some(true),
        Some(Cell::Whole(0)) => Some(false),
        Some(Cell::Number(value)) if *value == 1.0 => Some(true),
        Some(Cell::Number(value)) if *value == 0.0 => Some(false),
        Some(Cell::Text(text)) => Some(truth(text).ok_or_else(|| {
            wrong(place, "correct", format!("{:?} is neither true nor false", shortened(text)))
                .help("write true or false, or 1 or 0")
        })?),
        Some(Cell::List | Cell::Object(_)) => return Err(compound(place, "correct")),
        Some(Cell::Whole(_) | Cell::Number(_)) => {
            return Err(wrong(place, "correct", "a number other than 0 and 1 is neither true nor false")
                .help("write true or false, or 1 or 0"));
        }
    };
    let found = expected.zip(label).map(|(expected, label)| expected == label);
    match (said, found) {
        (Some(said), Some(found)) if said != found => {
            let (expected, label) = (expected.unwrap_or_default(), label.unwrap_or_default());
            Err(wrong(
                place,
                "correct",
                format!("it says {said}, but expected is {expected:?} and predicted {label:?}"),
            )
            .help("correct the row, or remove the column correct to have it found out"))
        }
        (None, None) if options.need_outcome => {
            Err(wrong(place, "correct", "the row does not say whether it is right")
                .help("it needs correct, or expected and prediction"))
        }
        _ => Ok(said.or(found)),
    }
}

fn truth(text: &str) -> Option<bool> {
    let word = text.trim();
    let is = |words: [&str; 6]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(["true", "1", "1.0", "yes", "t", "y"]) {
        Some(true)
    } else if is(["false", "0", "0.0", "no", "f", "n"]) {
        Some(false)
    } else {
        None
    }
}

fn shortened(text: &str) -> String {
    let head: String = text.chars().take(40).collect();
    if head.len() < text.len() { format!("{head}…") } else { head }
}
