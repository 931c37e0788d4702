//! Text files → examples: one a line, the label in the file's name.
//!
//! Lines are trimmed; blank ones and those that begin with `#` are passed over (a note counts the comments, because a
//! tweet may begin with a hash sign). With `stem-suffix`, `weak_positive.txt` gives the label `positive` and keeps
//! `weak_positive` as group. Where files lie in folders of their label (`positive/17.txt`), the folder is the label.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::{Lines, utf8};
use super::{Dataset, Example, LabelFrom, Options, encoding, in_file};
use crate::error::{Error, Result};

/// Reads one text file. Its rows are labelled only if `options.label_from` says how.
///
/// # Errors
/// `Kind::Format` or `Kind::Input` where no line is good; with `options.strict`, for the first bad line.
pub fn read_file(name: &str, bytes: &[u8], options: &Options) -> Result<Dataset> {
    let mut dataset = Dataset::default();
    let comments = add(&mut dataset, name, bytes, options.label_from, options)?;
    note_comments(&mut dataset, comments);
    dataset.finished()
}

/// Reads the `.txt` files among `files` (name and content), in the order of their names.
///
/// # Errors
/// As [`read_file`]; also where none is a text file.
pub fn read_folder(files: &[(String, Vec<u8>)], options: &Options) -> Result<Dataset> {
    let mut texts: Vec<_> = files.iter().filter(|(name, _)| is_text(name)).collect();
    texts.sort_by(|a, b| a.0.cmp(&b.0));
    if texts.is_empty() {
        return Err(no_texts(files));
    }
    let mut dataset = Dataset::default();
    encoding::check(texts.iter().map(|(_, bytes)| bytes.as_slice()))?;
    let guess = || guess_label_from(&texts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    let label_from = if options.no_label { None } else { options.label_from.or_else(guess) };
    if options.label_from.is_none() {
        dataset.notes.extend(label_from.map(|guess| match guess {
            LabelFrom::Stem => "labels are the files' names".to_owned(),
            LabelFrom::StemSuffix => "labels are the last words of the files' names, groups the names".to_owned(),
            LabelFrom::Folder => "labels are the names of the files' folders".to_owned(),
        }));
    }
    dataset.layout.label_from = label_from;
    let mut comments = 0;
    for (name, bytes) in &texts {
        let before = dataset.problems.len();
        comments +=
            add(&mut dataset, name, bytes, label_from, options).map_err(|error| error.at_file(name.as_str()))?;
        for problem in &mut dataset.problems[before..] {
            problem.file.get_or_insert_with(|| name.clone());
        }
    }
    if texts.len() < files.len() {
        dataset.notes.push(format!("{} files are no .txt files and were passed over", files.len() - texts.len()));
    }
    note_comments(&mut dataset, comments);
    let first = texts[0].0.clone();
    if texts.len() == 1 { in_file(&first, dataset.finished()) } else { dataset.finished() }
}

/// A folder without text files, and what to do with what it holds instead.
fn no_texts(files: &[(String, Vec<u8>)]) -> Error {
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).filter(|name| is_table(name)).collect();
    match names[..] {
        [] => Error::input("the folder holds no .txt files")
            .help("put one file a label into it, e.g. positive.txt, with one example a line"),
        [first, ..] => Error::input(format!("{} of these {} files are tables or JSON lines", names.len(), files.len()))
            .help(format!("choose one of them by itself, say {first}; only .txt files are read together")),
    }
}

/// The one table of a folder that holds no text files, beside things that are no data.
pub(super) fn only_table(files: &[(String, Vec<u8>)]) -> Option<&(String, Vec<u8>)> {
    let mut tables = files.iter().filter(|(name, _)| is_table(name));
    let first = tables.next()?;
    let others = tables.next().is_some() || files.iter().any(|(name, _)| is_text(name));
    (!others).then_some(first)
}

/// Whether a file's name promises a text a line.
fn is_text(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".txt")
}

/// Whether a file's name promises rows with columns.
fn is_table(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| matches!(ending.as_str(), "csv" | "tsv" | "tab" | "jsonl" | "ndjson" | "json"))
}

/// Adds a file's lines; gives the number of comments among them.
fn add(
    dataset: &mut Dataset,
    name: &str,
    bytes: &[u8],
    label_from: Option<LabelFrom>,
    options: &Options,
) -> Result<usize> {
    let stem = stem(name);
    let (label, group) = match label_from {
        None => (None, None),
        Some(LabelFrom::Stem) => (Some(stem), None),
        Some(LabelFrom::StemSuffix) => (Some(suffix(stem)), Some(stem)),
        Some(LabelFrom::Folder) => (folder(name), None),
    };
    let mut lines = Lines::new(bytes);
    let mut comments = 0;
    while let Some(line) = lines.next_line() {
        let line = line.and_then(|(number, bytes)| Ok((number, utf8(number, bytes)?.trim())));
        let row = match line {
            Ok((_, "")) => continue,
            Ok((_, text)) if text.starts_with('#') => {
                comments += 1;
                continue;
            }
            Ok((line, text)) => Ok(Example {
                id: (dataset.examples.len() + dataset.left_out + 1).to_string(),
                text: text.to_owned(),
                label: label.map(str::to_owned),
                group: group.map(str::to_owned),
                line,
            }),
            Err(error) => Err(error),
        };
        dataset.take(row, options)?;
    }
    Ok(comments)
}

fn note_comments(dataset: &mut Dataset, comments: usize) {
    if comments > 0 {
        dataset.notes.push(format!("{comments} lines begin with # and were passed over as comments"));
    }
}

/// The file's name without folders and ending.
fn stem(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The name of the folder that the file is in, where its name says one.
fn folder(name: &str) -> Option<&str> {
    name.rsplit(['/', '\\']).nth(1).filter(|folder| !folder.is_empty())
}

/// What follows the last `_` (or, without one, the last `-`) of a stem; all of it where there is none.
fn suffix(stem: &str) -> &str {
    let last = stem.rsplit_once('_').or_else(|| stem.rsplit_once('-')).map_or(stem, |(_, last)| last);
    if last.is_empty() { stem } else { last }
}

/// The folders, where they are what tells files apart. Else the last words, where several files share them and they tell
/// at least two labels apart; else the whole names.
fn guess_label_from(names: &[&str]) -> Option<LabelFrom> {
    if names.len() < 2 {
        return None;
    }
    if folders_tell_apart(names) {
        return Some(LabelFrom::Folder);
    }
    let stems: Vec<&str> = names.iter().map(|name| stem(name)).collect();
    let suffixes: BTreeSet<_> = stems.iter().map(|stem| suffix(stem)).collect();
    let shared = suffixes.len() >= 2 && suffixes.len() < stems.len();
    Some(if shared { LabelFrom::StemSuffix } else { LabelFrom::Stem })
}

/// Whether files lie in several folders, all equally deep, and their own names tell no labels: these are not the same in
/// every folder (`a/good.txt`, `a/bad.txt`, `b/good.txt`, `b/bad.txt`), or there is a single one.
fn folders_tell_apart(names: &[&str]) -> bool {
    let mut stems: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let depths: BTreeSet<usize> = names.iter().map(|name| name.matches(['/', '\\']).count()).collect();
    for name in names {
        let Some(folder) = folder(name) else { return false };
        stems.entry(folder).or_default().insert(stem(name));
    }
    let folders = stems.len();
    let different: BTreeSet<_> = stems.values().collect();
    let same_names = different.len() == 1 && stems.values().all(|stems| stems.len() > 1);
    let all: BTreeSet<_> = stems.values().flatten().collect();
    // A file a folder, each with a name of its own: the names say as much as the folders, and are nearer.
    let one_each = names.len() == folders && all.len() == folders;
    depths.len() == 1 && folders > 1 && !same_names && !one_each
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn files(list: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn shown(dataset: &Dataset) -> Vec<String> {
        (dataset.examples.iter())
            .map(|e| {
                let (label, group) = (e.label.as_deref().unwrap_or("-"), e.group.as_deref().unwrap_or("-"));
                format!("{} {} {label} {group} {}", e.id, e.text, e.line)
            })
            .collect()
    }

    #[test]
    fn names_become_labels() {
        let folder = files(&[
            ("d/weak_positive.txt", "\u{feff}# a comment\r\n\r\nb\r\n c \r\n"),
            ("d/strong_positive.txt", "a"),
            ("d/weak_negative.txt", "z\n"),
            ("d/notes.md", "x"),
        ]);
        let dataset = read_folder(&folder, &Options::default()).unwrap();
        let expected = [
            "1 a positive strong_positive 1",
            "2 z negative weak_negative 1",
            "3 b positive weak_positive 3",
            "4 c positive weak_positive 4",
        ];
        assert_eq!(shown(&dataset), expected);
        assert_eq!(dataset.notes.len(), 3, "{:?}", dataset.notes);

        let stem = Options { label_from: Some(LabelFrom::Stem), ..Options::default() };
        assert_eq!(shown(&read_folder(&folder, &stem).unwrap())[0], "1 a strong_positive - 1");
        let plain = read_folder(&files(&[("good.txt", "a"), ("bad.txt", "b")]), &Options::default()).unwrap();
        assert_eq!(shown(&plain), ["1 b bad - 1", "2 a good - 1"]);
    }

    #[test]
    fn folders_of_a_label_are_the_labels() {
        let guessed = |names: &[&str]| guess_label_from(names);
        let (folder, stem, suffix) = (Some(LabelFrom::Folder), Some(LabelFrom::Stem), Some(LabelFrom::StemSuffix));
        for (names, expected) in [
            (&["d/pos/0_9.txt", "d/pos/1_7.txt", "d/neg/0_2.txt", "d/neg/1_2.txt"][..], folder),
            (&["train/pos/1.txt", "train/neg/2.txt", "test/pos/1.txt", "test/neg/2.txt"], folder),
            (&["pos/all.txt", "neg/all.txt"], folder),
            (&["d/positive.txt", "d/negative.txt"], stem),
            (&["a/good.txt", "a/bad.txt", "b/good.txt", "b/bad.txt"], suffix),
            (&["a/good.txt", "b/bad.txt"], stem),
            (&["d/positive.txt", "d/negative.txt", "d/notes/readme.txt"], stem),
            (&["good.txt", "bad.txt"], stem),
            (&["d\\pos\\1.txt", "d\\pos\\2.txt", "d\\neg\\3.txt"], folder),
        ] {
            assert_eq!(guessed(names), expected, "{names:?}");
        }
        let files = files(&[("d/neg/2.txt", "b"), ("d/pos/1.txt", "a"), ("d/pos/3.txt", "c")]);
        let dataset = read_folder(&files, &Options::default()).unwrap();
        assert_eq!(shown(&dataset), ["1 b neg - 1", "2 a pos - 1", "3 c pos - 1"]);
        assert_eq!((dataset.layout.label_from, dataset.notes.len()), (Some(LabelFrom::Folder), 1));
        let none = Options { no_label: true, ..Options::default() };
        assert_eq!(shown(&read_folder(&files, &none).unwrap())[0], "1 b - - 1");
    }

    #[test]
    fn one_file_is_unlabelled_unless_told() {
        let options = Options { label_from: Some(LabelFrom::StemSuffix), ..Options::default() };
        assert_eq!(shown(&read_file("very-good.txt", b"a", &Options::default()).unwrap()), ["1 a - - 1"]);
        assert_eq!(shown(&read_file("very-good.txt", b"a", &options).unwrap()), ["1 a good very-good 1"]);
    }

    #[test]
    fn problems_name_file_and_line() {
        let mut folder = files(&[("a.txt", "x\n"), ("b.txt", "y\n")]);
        folder[1].1.extend_from_slice(b"\xff\nz\n");
        let dataset = read_folder(&folder, &Options::default()).unwrap();
        assert_eq!(dataset.problems.len(), 1);
        assert!(dataset.problems[0].to_string().starts_with("b.txt:2:1: "), "{}", dataset.problems[0]);
        assert_eq!(dataset.examples[2].id, "4");
        let strict = Options { strict: true, ..Options::default() };
        assert!(read_folder(&folder, &strict).unwrap_err().to_string().starts_with("b.txt:2:1: "));
        assert!(read_folder(&files(&[("a.md", "x")]), &strict).unwrap_err().message.contains("no .txt"));
        let tables = read_folder(&files(&[("a.md", "x"), ("b.csv", "x"), ("c.JSONL", "x")]), &strict).unwrap_err();
        let mixed = files(&[("a.md", "x"), ("b.csv", "text,label\nx,y\n")]);
        let one = crate::dataset::read_folder(&mixed, &strict).unwrap();
        assert!(one.examples.len() == 1 && one.notes.iter().any(|note| note.contains("b.csv")), "{:?}", one.notes);
        assert!(
            tables.to_string().contains("2 of these 3 files") && tables.to_string().contains("say b.csv"),
            "{tables}"
        );
        assert!(read_folder(&files(&[("a.txt", "# x\n")]), &strict).unwrap_err().message.contains("no rows"));
    }

    #[test]
    fn suffixes() {
        let cases = [("a_b", "b"), ("a-b", "b"), ("a-b_c-d", "c-d"), ("a", "a"), ("a_", "a_"), ("", "")];
        for (stem, expected) in cases {
            assert_eq!(suffix(stem), expected);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(name in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let options = Options { label_from: Some(LabelFrom::StemSuffix), ..Options::default() };
            let _ = read_file(&name, &bytes, &options);
            let _ = crate::dataset::read(&name, &bytes, &options);
            let _ = read_folder(&[(format!("{name}.txt"), bytes)], &options);
        }
    }
}
