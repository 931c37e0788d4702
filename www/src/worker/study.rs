//! The worker's statistics lane: data sets are read, texts are kept. It needs no model, and usually runs in a worker of
//! its own, so that neither typing nor a run waits for it.

use std::rc::Rc;

use candor::dataset::{self, Dataset, duplicates, predictions, split};
use candor::error::{Error, Kind, Result};
use candor::evaluate::calibration::{Fitted, Wish, calibrate};
use candor::evaluate::report::side_by_side;
use candor::evaluate::rows::{SEED, calibration_rows, label_bias};
use candor::protocol::{self, CalibrationReport, DataFile, ReadReport, Reply, StudyReply, StudyRequest};
use candor::stats::calibrators::Method;
use candor::stats::saved::Binding;
use js_sys::Uint8Array;
use wasm_bindgen_futures::spawn_local;

use super::Desk;
use super::examining::Examined;
use super::picked::bytes_of;
use crate::store::opfs::{Folder, STUDIES};

/// Rows of one message: few enough that the page takes them in between two frames.
const PIECE: usize = 1000;
/// Bytes beyond which a file is refused: reading it would take more memory than a tab has.
const LARGEST_FILE: u64 = 1 << 30;
/// Seed of the sample that is drawn from too large data.
const SAMPLE_SEED: u64 = 0;

impl Desk {
    /// Takes a request; it waits for those before it, so that what is kept last is what was asked last.
    pub(super) fn study(self: Rc<Self>, id: u64, request: StudyRequest) {
        let superseded = self.studies.borrow_mut().push(id, request);
        if let Some(older) = superseded {
            self.answer(older, Reply::Failed(Error::new(Kind::Cancelled, "a newer request took its place")));
        }
        if !self.studying.replace(true) {
            spawn_local(self.work_on_studies());
        }
    }

    async fn work_on_studies(self: Rc<Self>) {
        loop {
            let next = self.studies.borrow_mut().take_next();
            let Some((id, request)) = next else { break };
            let outcome = match request {
                StudyRequest::Read { files, options, limit } => self.read_data(id, &files, &options, limit).await,
                StudyRequest::Examine { name, predictions, wish } => self.examine(&name, &predictions, wish),
                StudyRequest::Calibrate { predictions, method, bound_to } => fit(&predictions, method, bound_to),
                StudyRequest::Compare(request) => self.compare(*request).await,
                StudyRequest::Probe(request) => self.train_probe(id, *request).await,
                StudyRequest::Keep { name, text } => self.keep(&name, &text, false).await,
                StudyRequest::Append { name, text } => self.keep(&name, &text, true).await,
                StudyRequest::Recall { name } => self.recall(&name).await,
                StudyRequest::Remove { names } => self.remove(&names).await,
                StudyRequest::RemoveAll { beginning } => self.remove_all(&beginning).await,
                StudyRequest::Usage => self.study_folder_list().await.map(StudyReply::Usage),
                StudyRequest::EraseAll => self.erase_all().await,
            };
            self.answer(id, outcome.map_or_else(Reply::Failed, |reply| Reply::Study(Box::new(reply))));
        }
        self.studying.set(false);
    }

    async fn read_data(
        &self,
        id: u64,
        files: &[DataFile],
        options: &dataset::Options,
        limit: usize,
    ) -> Result<StudyReply> {
        let mut contents = Vec::with_capacity(files.len());
        for file in files {
            contents.push((file.name.clone(), bytes_of(file, LARGEST_FILE).await?));
        }
        let dataset = match &contents[..] {
            [(name, bytes)] => dataset::read(name, bytes, options)?,
            [] => return Err(Error::usage("no file was given").help("choose a file, or drop one")),
            _ => dataset::read_folder(&contents, options)?,
        };
        drop(contents);
        let (dataset, rows) = limited(dataset, limit);
        for piece in dataset.examples.chunks(PIECE) {
            self.answer(id, Reply::Study(Box::new(StudyReply::Rows(piece.to_vec()))));
        }
        let text_of = duplicates::find(&dataset.examples).text_of;
        Ok(StudyReply::Read { report: Box::new(report(dataset, rows)), text_of })
    }

    fn examine(&self, name: &str, predictions: &str, wish: Option<protocol::Wish>) -> Result<StudyReply> {
        let last = self.examined.take();
        let examined = Examined::of(last, name, predictions, wish)?;
        let told = examined.told();
        self.examined.replace(Some(examined));
        Ok(StudyReply::Examined(Box::new(told)))
    }

    async fn keep(&self, name: &str, text: &str, behind: bool) -> Result<StudyReply> {
        let writer = self.study_folder().await?.writer(name).await?;
        if !behind {
            writer.truncate(0)?;
        }
        writer.write_at(writer.size()?, &Uint8Array::from(text.as_bytes()))?;
        writer.flush()?;
        Ok(StudyReply::Kept)
    }

    async fn recall(&self, name: &str) -> Result<StudyReply> {
        let text = self.study_folder().await?.text(name).await?;
        Ok(StudyReply::Text(text.filter(|text| !text.is_empty())))
    }

    async fn remove(&self, names: &[String]) -> Result<StudyReply> {
        let folder = self.study_folder().await?;
        for name in names {
            folder.remove(name).await?;
        }
        Ok(StudyReply::Kept)
    }

    async fn study_folder_list(&self) -> Result<Vec<(String, u64)>> {
        self.study_folder().await?.list().await
    }

    async fn erase_all(&self) -> Result<StudyReply> {
        self.remove_all("").await
    }

    async fn remove_all(&self, beginning: &str) -> Result<StudyReply> {
        let names = self.study_folder_list().await?.into_iter().map(|(name, _)| name);
        let names: Vec<String> = names.filter(|name| name.starts_with(beginning)).collect();
        self.remove(&names).await
    }

    pub(super) async fn study_folder(&self) -> Result<Folder> {
        if self.switches.no_storage {
            return Err(Error::new(Kind::Resource, "storage is switched off by the page's address"));
        }
        Folder::open(STUDIES).await
    }
}

/// At most `limit` rows, and how many there were.
fn limited(mut dataset: Dataset, limit: usize) -> (Dataset, usize) {
    let rows = dataset.examples.len();
    if rows > limit {
        let chosen = split::sample(&dataset.examples, limit, SAMPLE_SEED);
        let mut next = chosen.iter().peekable();
        let mut row = 0;
        dataset.examples.retain(|_| {
            let kept = next.next_if_eq(&&row).is_some();
            row += 1;
            kept
        });
    }
    (dataset, rows)
}

fn report(dataset: Dataset, rows: usize) -> ReadReport {
    ReadReport {
        rows,
        handed_over: dataset.examples.len(),
        labels: dataset.label_counts().into_iter().map(|(label, count)| (label.to_owned(), count)).collect(),
        warnings: duplicates::warnings(&dataset.examples),
        layout: dataset.layout,
        problems: dataset.problems,
        left_out: dataset.left_out,
        notes: dataset.notes,
    }
}

/// A calibrator from predictions, as `candor calibrate` fits it.
fn fit(predictions: &str, method: Option<Method>, bound_to: Binding) -> Result<StudyReply> {
    let predictions = predictions::read("predictions.jsonl", predictions.as_bytes(), predictions::Options::default())?;
    let wish = Wish { method, ..Wish::default() };
    let Fitted { comparison, file, .. } = calibrate(&predictions, &wish, bound_to)?;
    let rows = calibration_rows(&predictions, file.input)?;
    let bias = label_bias(&predictions, &rows, SEED);
    let chosen = comparison.methods.iter().find(|line| line.method == comparison.chosen);
    let notes = chosen.map(|line| line.notes.clone()).unwrap_or_default();
    Ok(StudyReply::Calibrated(Box::new(CalibrationReport {
        table: side_by_side(&comparison, &rows, bias.as_ref(), SEED),
        file: file.to_json()?,
        why: comparison.why,
        warnings: comparison.warnings.into_iter().chain(notes).collect(),
    })))
}
