//! The rows that enter the first trained layer.
//!
//! Layers below the first trained one never change, so what they make of a text never changes either: it is computed
//! once, by the engine, and kept in a file until the fine-tune is done. With all layers trained there is nothing to
//! keep: rows are token embeddings.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::sequences::{Sequence, Sequences};
use crate::classify::PreparedTask;
use crate::engine::config::ModelConfig;
use crate::engine::cpu::CpuModel;
use crate::engine::{Control, PackedBatch, Prefix};
use crate::error::{Error, Result};

/// Tokens that are computed together.
const PASS_TOKENS: usize = 512;

/// Rows as they enter the first trained layer.
pub struct Frozen<'a> {
    config: &'a ModelConfig,
    model: &'a CpuModel,
    /// The shared prefix's rows: tokens × width.
    prefix: Vec<f32>,
    kept: Option<Kept>,
}

/// A file of rows, removed when it is no longer needed.
struct Kept {
    path: PathBuf,
    file: File,
    /// Where each sequence begins, in numbers, and the end.
    starts: Vec<u64>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl<'a> Frozen<'a> {
    /// Computes what enters layer `first` for all sequences; `control` hears of tokens, `path` is where they are kept.
    ///
    /// # Errors
    /// A cancel; a disk that is full or cannot be written.
    pub async fn new(
        (config, model): (&'a ModelConfig, &'a CpuModel),
        first: usize,
        task: &PreparedTask,
        sequences: &Sequences,
        path: &Path,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        let empty = Prefix::empty(config);
        let prefix = match task.prefix().tokens() {
            [] => Vec::new(),
            tokens => {
                let batch = PackedBatch::of([tokens])?;
                model.rows_before(config, first, &empty, &batch, control).await?
            }
        };
        if first == 0 {
            return Ok(Self { config, model, prefix, kept: None });
        }
        let at = |error: std::io::Error| {
            let error = Error::from(error).at_file(path.display().to_string());
            error.help("the computed rows of the lower layers need room here; train with fewer rows, or on all layers")
        };
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path).map_err(at)?;
        // From here on the file goes away with `kept`, whatever happens.
        let mut kept = Kept { path: path.to_path_buf(), file, starts: vec![0] };
        let total: usize = sequences.all.iter().map(|sequence| sequence.tokens.len()).sum();
        let mut done = 0;
        let order: Vec<usize> = (0..sequences.all.len()).collect();
        let mut out = BufWriter::with_capacity(1 << 20, &kept.file);
        for pass in sequences.passes(&order, 0, PASS_TOKENS) {
            let part = &sequences.all[pass];
            let before = if part[0].shared { task.prefix() } else { &empty };
            let batch = PackedBatch::of(part.iter().map(|sequence| sequence.tokens.as_slice()))?;
            let rows = model.rows_before(config, first, before, &batch, control).await?;
            let bytes: Vec<u8> = rows.iter().flat_map(|number| number.to_le_bytes()).collect();
            out.write_all(&bytes).map_err(at)?;
            for Sequence { tokens, .. } in part {
                kept.starts.push(kept.starts[kept.starts.len() - 1] + (tokens.len() * config.width) as u64);
            }
            done += batch.tokens().len();
            control.report(done as u64, Some(total as u64));
        }
        out.flush().map_err(at)?;
        drop(out);
        Ok(Self { config, model, prefix, kept: Some(kept) })
    }

    /// The rows of a pass: the shared prefix's, if `shared`, then each sequence's.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn rows<'s>(
        &mut self,
        shared: bool,
        sequences: impl Iterator<Item = (usize, &'s Sequence)>,
    ) -> Result<Vec<f32>> {
        let mut rows = if shared { self.prefix.clone() } else { Vec::new() };
        for (index, sequence) in sequences {
            match &mut self.kept {
                None => {
                    let start = rows.len();
                    rows.resize(start + sequence.tokens.len() * self.config.width, 0.0);
                    let places = rows[start..].chunks_exact_mut(self.config.width);
                    for (token, place) in sequence.tokens.iter().zip(places) {
                        self.model.weights().embedding.unpack_row(*token as usize, place);
                    }
                }
                Some(kept) => {
                    let (start, end) = (kept.starts[index], kept.starts[index + 1]);
                    let mut bytes = vec![0; (end - start) as usize * 4];
                    let read =
                        kept.file.seek(SeekFrom::Start(start * 4)).and_then(|_| kept.file.read_exact(&mut bytes));
                    read.map_err(|error| Error::from(error).at_file(kept.path.display().to_string()))?;
                    rows.extend(bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)));
                }
            }
        }
        Ok(rows)
    }
}
