//! The rows that enter the first trained layer.
//!
//! Layers below the first trained one never change, so what they make of a text never changes either: it is computed
//! once, by the engine, and kept in a file until the fine-tune is done. With all layers trained there is nothing to
//! keep: rows are token embeddings.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::sequences::{NO_BEGINNING, Sequence, Sequences};
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
    kept: Option<Kept>,
}

/// A file of rows, removed when it is no longer needed.
struct Kept {
    path: PathBuf,
    file: File,
    /// Whether the file still has its name: where the platform allows it, that is taken from it while it is open, and
    /// nothing stays behind, however the program ends.
    is_named: bool,
    /// Where each beginning's rows are, in numbers; nowhere for one that no sequence has.
    beginnings: Vec<Range<u64>>,
    /// Where each sequence's rows are.
    sequences: Vec<Range<u64>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.is_named {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Bytes that the file of rows takes.
pub fn kept_bytes(config: &ModelConfig, first: usize, sequences: &Sequences) -> u64 {
    if first == 0 { 0 } else { tokens(sequences) * config.width as u64 * size_of::<f32>() as u64 }
}

/// Tokens of all sequences and of what they begin with.
fn tokens(sequences: &Sequences) -> u64 {
    let own: usize = sequences.all.iter().map(|sequence| sequence.tokens.len()).sum();
    (own + sequences.beginnings.iter().map(Vec::len).sum::<usize>()) as u64
}

impl<'a> Frozen<'a> {
    /// Computes what enters layer `first` for all sequences; `control` hears of tokens, `path` is where they are kept.
    ///
    /// # Errors
    /// A cancel; a disk that is full or cannot be written.
    pub async fn new(
        (config, model): (&'a ModelConfig, &'a CpuModel),
        first: usize,
        sequences: &Sequences,
        path: &Path,
        control: &mut Control<'_>,
    ) -> Result<Self> {
        if first == 0 {
            return Ok(Self { config, model, kept: None });
        }
        let at = |error: std::io::Error| {
            let error = Error::from(error).at_file(path.display().to_string());
            error.help("the computed rows of the lower layers need room here; train with fewer rows, or on all layers")
        };
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path).map_err(at)?;
        // From here on the file goes away with `kept`, whatever happens.
        let mut kept = Kept {
            path: path.to_path_buf(),
            file,
            is_named: std::fs::remove_file(path).is_err(),
            beginnings: vec![0..0; sequences.beginnings.len()],
            sequences: Vec::with_capacity(sequences.all.len()),
        };
        let mut out = BufWriter::with_capacity(1 << 20, &kept.file);
        let (mut end, mut done) = (0_u64, 0_u64);
        let mut write = |rows: &[f32]| -> Result<Range<u64>> {
            let bytes: Vec<u8> = rows.iter().flat_map(|number| number.to_le_bytes()).collect();
            out.write_all(&bytes).map_err(at)?;
            end += rows.len() as u64;
            Ok(end - rows.len() as u64..end)
        };
        let total = tokens(sequences);
        let order: Vec<usize> = (0..sequences.all.len()).collect();
        let mut before = Prefix::empty(config);
        let mut current = NO_BEGINNING;
        for pass in sequences.passes(&order, PASS_TOKENS) {
            let part = &sequences.all[pass];
            if part[0].beginning != current {
                current = part[0].beginning;
                let tokens = &sequences.beginnings[current];
                before = Prefix::empty(config);
                if kept.beginnings[current].is_empty() && !tokens.is_empty() {
                    let batch = PackedBatch::of([tokens.as_slice()])?;
                    kept.beginnings[current] =
                        write(&model.rows_before(config, first, &before, &batch, control).await?)?;
                    done += tokens.len() as u64;
                }
                for tokens in tokens.chunks(PASS_TOKENS) {
                    model.extend(config, None, &mut before, tokens, control).await?;
                }
            }
            let batch = PackedBatch::of(part.iter().map(|sequence| sequence.tokens.as_slice()))?;
            let rows = model.rows_before(config, first, &before, &batch, control).await?;
            let mut start = write(&rows)?.start;
            for Sequence { tokens, .. } in part {
                let numbers = (tokens.len() * config.width) as u64;
                kept.sequences.push(start..start + numbers);
                start += numbers;
            }
            done += batch.tokens().len() as u64;
            control.report(done, Some(total));
        }
        out.flush().map_err(at)?;
        drop(out);
        Ok(Self { config, model, kept: Some(kept) })
    }

    /// The rows of a pass: the beginning's, then each sequence's.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn rows(&mut self, sequences: &Sequences, beginning: usize, of: &[usize]) -> Result<Vec<f32>> {
        let Some(kept) = &mut self.kept else {
            let tokens = of.iter().flat_map(|sequence| &sequences.all[*sequence].tokens);
            let tokens: Vec<u32> = sequences.beginnings[beginning].iter().chain(tokens).copied().collect();
            let mut rows = vec![0.0; tokens.len() * self.config.width];
            for (token, place) in tokens.iter().zip(rows.chunks_exact_mut(self.config.width)) {
                self.model.weights().embedding.unpack_row(*token as usize, place);
            }
            return Ok(rows);
        };
        let mut rows = Vec::new();
        let parts = std::iter::once(&kept.beginnings[beginning]).chain(of.iter().map(|at| &kept.sequences[*at]));
        for part in parts {
            let mut bytes = vec![0; (part.end - part.start) as usize * 4];
            let read = kept.file.seek(SeekFrom::Start(part.start * 4)).and_then(|_| kept.file.read_exact(&mut bytes));
            read.map_err(|error| Error::from(error).at_file(kept.path.display().to_string()))?;
            rows.extend(bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)));
        }
        Ok(rows)
    }
}
