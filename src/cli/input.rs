//! Where the texts to classify come from: arguments, a data set, or a stream of JSON lines.

use std::io::{BufRead, BufReader, Stdin};
use std::path::Path;
use std::sync::Mutex;

use crate::dataset::{self, Dataset, Example, LabelFrom, jsonl, split};
use crate::error::{Error, Result};

/// Flags of everything that reads a data set.
#[derive(clap::Args, Clone)]
#[group(skip)]
pub struct Arguments {
    /// The column or key of the text.
    #[arg(long, value_name = "NAME")]
    text_field: Option<String>,
    /// The column or key of the label.
    #[arg(long, value_name = "NAME")]
    label_field: Option<String>,
    /// How text files' names become labels: stem, or stem-suffix (weak_positive.txt → positive).
    #[arg(long, value_name = "HOW", value_parser = |word: &str| word.parse::<LabelFrom>().map_err(|e| e.message))]
    label_from: Option<LabelFrom>,
    /// Stop at the first bad row instead of leaving it out.
    #[arg(long)]
    strict: bool,
    /// Take at most this many rows, drawn at random.
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    /// Seed of the draw [default: 1].
    #[arg(long)]
    seed: Option<u64>,
}

/// Rows to classify, in batches.
pub enum Rows {
    /// All rows are at hand.
    Known {
        /// The rows.
        examples: Vec<Example>,
        /// How many were handed out.
        done: usize,
    },
    /// Rows come as somebody writes them.
    Stream {
        /// The lines.
        lines: Box<jsonl::Reader<BufReader<SharedInput>>>,
        /// Bad lines end the run instead of being left out.
        strict: bool,
        /// Bytes that were read but not yet handed out, seen from outside the reader.
        waiting: SharedInput,
    },
}

/// Standard input, whose buffer can be looked at while a reader owns it.
#[derive(Clone, Copy)]
pub struct SharedInput(&'static Mutex<BufReader<Stdin>>);

impl std::io::Read for SharedInput {
    /// One line at the most, so that what follows stays in the buffer that [`SharedInput::has_more`] looks at.
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let mut input = self.0.lock().map_err(|_| std::io::Error::other("standard input is in use"))?;
        let available = input.fill_buf()?;
        let line = available.iter().position(|byte| *byte == b'\n').map_or(available.len(), |at| at + 1);
        let count = line.min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        input.consume(count);
        Ok(count)
    }
}

impl SharedInput {
    fn standard() -> Self {
        static INPUT: std::sync::OnceLock<Mutex<BufReader<Stdin>>> = std::sync::OnceLock::new();
        Self(INPUT.get_or_init(|| Mutex::new(BufReader::with_capacity(1 << 16, std::io::stdin()))))
    }

    /// Whether a whole line can be had without waiting.
    fn has_more(self) -> bool {
        self.0.lock().is_ok_and(|input| input.buffer().contains(&b'\n'))
    }
}

impl Rows {
    /// The next rows, `most` at the most; `None` at the end. A stream gives what is there rather than wait for more.
    ///
    /// # Errors
    /// A stream that cannot be read; with `--strict`, a bad line.
    pub fn next_batch(&mut self, most: usize) -> Result<Option<Vec<Example>>> {
        match self {
            Self::Known { examples, done } => {
                let batch = examples[*done..].iter().take(most).cloned().collect::<Vec<_>>();
                *done += batch.len();
                Ok((!batch.is_empty()).then_some(batch))
            }
            Self::Stream { lines, strict, waiting } => {
                let mut batch = Vec::new();
                while batch.len() < most && (batch.is_empty() || waiting.has_more()) {
                    match lines.next() {
                        None => break,
                        Some(Ok(example)) => batch.push(example),
                        Some(Err(error)) if *strict || error.kind == crate::Kind::Io => return Err(error),
                        Some(Err(error)) => eprintln!("left out: {error}"),
                    }
                }
                Ok((!batch.is_empty()).then_some(batch))
            }
        }
    }

    /// How many rows there are, where that is known.
    pub fn total(&self) -> Option<u64> {
        match self {
            Self::Known { examples, .. } => Some(examples.len() as u64),
            Self::Stream { .. } => None,
        }
    }

    /// Whether rows come from a stream.
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }
}

/// The rows that the arguments ask for.
///
/// # Errors
/// No texts at all; a data set that cannot be read.
pub fn rows(texts: &[String], input: Option<&Path>, arguments: &Arguments) -> Result<Rows> {
    if let Some(path) = input {
        return Ok(Rows::Known { examples: read(path, arguments, false)?.examples, done: 0 });
    }
    match texts {
        [] => Err(Error::usage("there is nothing to classify")
            .help("give texts, --input FILE, or - to read JSON lines from standard input")),
        [dash] if dash == "-" => {
            let waiting = SharedInput::standard();
            let lines = jsonl::Reader::new(BufReader::with_capacity(1 << 16, waiting), arguments.options(false));
            Ok(Rows::Stream { lines: Box::new(lines), strict: arguments.strict, waiting })
        }
        texts => {
            let example = |(index, text): (usize, &String)| Example {
                id: (index + 1).to_string(),
                text: text.clone(),
                label: None,
                group: None,
                line: index as u64 + 1,
            };
            Ok(Rows::Known { examples: texts.iter().enumerate().map(example).collect(), done: 0 })
        }
    }
}

/// Reads a data set from a file or folder; bad rows and notes are told on standard error. With `need_labels`, a row
/// without a label is a bad one.
///
/// # Errors
/// A file that cannot be read or has no good row; with `--strict`, a bad row.
pub fn read(path: &Path, arguments: &Arguments, need_labels: bool) -> Result<Dataset> {
    let shown = path.display().to_string();
    let options = arguments.options(need_labels);
    let mut dataset = if path.is_dir() {
        dataset::read_folder(&folder(path)?, &options)?
    } else {
        let bytes = std::fs::read(path).map_err(|e| Error::from(e).at_file(&shown))?;
        dataset::read(&shown, &bytes, &options)?
    };
    for problem in &dataset.problems {
        eprintln!("left out: {problem}");
    }
    if dataset.left_out > dataset.problems.len() {
        eprintln!("left out: {} more rows", dataset.left_out - dataset.problems.len());
    }
    dataset.notes.iter().for_each(|note| eprintln!("note: {note}"));
    if let Some(limit) = arguments.limit.filter(|limit| *limit < dataset.examples.len()) {
        let drawn = split::sample(&dataset.examples, limit, arguments.seed());
        dataset.examples = drawn.into_iter().map(|index| dataset.examples[index].clone()).collect();
    }
    Ok(dataset)
}

/// The text files of a folder, by name.
fn folder(path: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let at = |path: &Path, error: std::io::Error| Error::from(error).at_file(path.display().to_string());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| at(path, e))? {
        let file = entry.map_err(|e| at(path, e))?.path();
        if file.extension().is_some_and(|extension| extension == "txt") {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            files.push((name, std::fs::read(&file).map_err(|e| at(&file, e))?));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::input("the folder has no .txt files").at_file(path.display().to_string()));
    }
    Ok(files)
}

impl Arguments {
    /// The seed of everything random.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// The seed, where one was given.
    pub fn given_seed(&self) -> Option<u64> {
        self.seed
    }

    /// Reads as the flags of these names would.
    pub fn new(
        text_field: Option<String>,
        label_field: Option<String>,
        label_from: Option<LabelFrom>,
        limit: Option<usize>,
        seed: u64,
    ) -> Self {
        Self { text_field, label_field, label_from, strict: false, limit, seed: Some(seed) }
    }

    /// The same for rows of which all are wanted.
    pub fn without_limit(self) -> Self {
        Self { limit: None, ..self }
    }

    /// Whether the first bad row ends it.
    pub fn strict(&self) -> bool {
        self.strict
    }

    fn options(&self, need_labels: bool) -> dataset::Options {
        dataset::Options {
            text_field: self.text_field.clone(),
            label_field: self.label_field.clone(),
            label_from: self.label_from,
            strict: self.strict,
            need_labels,
            ..dataset::Options::default()
        }
    }
}
