//! From a source to a readable model: the kept file, a download (continued where it stopped), or memory.

use std::io::Read;

use candor::error::{Error, Kind, Result};
use candor::platform;
use candor::protocol::{Progress, Stage};
use web_sys::AbortSignal;

use super::Store;
use super::fetching::Download;
use super::locks::{Lock, pause};
use super::opfs::Folder;
use super::reader::ModelReader;
use super::record::{Record, UNFINISHED};
use super::sink::Sink;
use super::source::Wanted;
use crate::throttle::Throttle;

/// Milliseconds between two looks at a download of another tab.
const PATIENCE: u32 = 300;

/// Bytes that are hashed between two looks at the messages.
const HASHED_AT_ONCE: usize = 1 << 20;

/// A model that can be read.
#[derive(Debug)]
pub struct Obtained {
    /// Its bytes.
    pub reader: ModelReader,
    /// What is known of it.
    pub facts: Facts,
}

/// What is known of a file, before anybody reads what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// Whether it was here already.
    pub from_cache: bool,
    /// Whether it is kept for the next visit; when not, why not.
    pub kept: std::result::Result<(), String>,
}

/// Who hears of progress, and who may stop the work.
pub struct Watch<'a> {
    progress: &'a mut dyn FnMut(Progress),
    signal: AbortSignal,
    throttle: Throttle,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("signal", &self.signal).finish_non_exhaustive()
    }
}

impl<'a> Watch<'a> {
    /// Reports to `progress` and stops at the signal.
    pub fn new(signal: AbortSignal, progress: &'a mut dyn FnMut(Progress)) -> Self {
        Self { progress, signal, throttle: Throttle::default() }
    }

    fn report(&mut self, stage: Stage, done: u64, total: Option<u64>) -> Result<()> {
        if self.throttle.is_due(done, total) {
            (self.progress)(Progress { stage, done, total });
        }
        match self.signal.aborted() {
            true => Err(Error::new(Kind::Cancelled, "cancelled")),
            false => Ok(()),
        }
    }
}

/// Finds the model on this device, or fetches it.
///
/// # Errors
/// [`Kind::Network`] when no address gives it; [`Kind::Format`] when what came is another file, with both hashes;
/// [`Kind::Cancelled`]. What was kept before stays; an interrupted download stays to be continued.
pub async fn obtain(store: &Store, wanted: &Wanted, watch: &mut Watch<'_>) -> Result<Obtained> {
    let folder = match &store.folder {
        Ok(folder) => folder,
        Err(reason) => {
            let mut sink = Sink::held(reason);
            download(wanted, &mut sink, None, watch).await?;
            return held(wanted, sink);
        }
    };
    if let Some(kept) = kept(folder, wanted).await? {
        return Ok(kept);
    }
    let _lock = wait_for_lock(folder, wanted, watch).await?;
    // Whoever had the lock may have fetched it meanwhile.
    if let Some(kept) = kept(folder, wanted).await? {
        return Ok(kept);
    }
    if wanted.addresses.is_empty() {
        return Err(Error::input(format!("{} is not kept on this device", wanted.file)).help("load it again"));
    }
    let part = format!("{}{UNFINISHED}", wanted.file);
    let mut sink = match continued(folder, wanted, &part, store.full_after, watch).await {
        Ok(sink) => sink,
        Err(error) if error.kind == Kind::Resource => Sink::held(&error.message),
        Err(error) => return Err(error),
    };
    let continued = sink.bytes() > 0;
    let address = match download(wanted, &mut sink, Some((folder, &part)), watch).await {
        Ok(address) => address,
        Err(error) => {
            let worthless = sink.bytes() == 0;
            drop(sink);
            if worthless {
                Record::remove(folder, &part).await?;
            }
            return Err(error);
        }
    };
    match finish(folder, wanted, &part, sink, &address).await {
        // What was there from last time does not belong to what came now: once more, from the start.
        Err(error) if continued && error.kind == Kind::Format => {
            Record::remove(folder, &part).await?;
            let mut sink = Sink::file(folder, &part, store.full_after).await?;
            let address = download(wanted, &mut sink, Some((folder, &part)), watch).await?;
            finish(folder, wanted, &part, sink, &address).await
        }
        other => other,
    }
}

async fn kept(folder: &Folder, wanted: &Wanted) -> Result<Option<Obtained>> {
    let Some(record) = Record::read(folder, &wanted.file).await else { return Ok(None) };
    let Some(sha256) = record.sha256.clone().filter(|_| wanted.accepts(&record)) else { return Ok(None) };
    let Some(reader) = folder.reader(&wanted.file).await? else { return Ok(None) };
    let bytes = reader.length();
    Ok((bytes == record.bytes)
        .then_some(Obtained { reader, facts: Facts { bytes, sha256, from_cache: true, kept: Ok(()) } }))
}

/// Whether a kept file still is what was kept: for when the loader finds fault with it.
///
/// # Errors
/// [`Kind::Cancelled`]; a file that cannot be read is one that has changed.
pub async fn is_intact(store: &Store, wanted: &Wanted, watch: &mut Watch<'_>) -> Result<bool> {
    let Ok(folder) = &store.folder else { return Ok(true) };
    let Some(record) = Record::read(folder, &wanted.file).await else { return Ok(false) };
    let Some(mut reader) = folder.reader(&wanted.file).await? else { return Ok(false) };
    let mut sink = Sink::held("only hashed");
    match hash(&mut reader, &mut sink, watch).await {
        Ok(()) => Ok(record.sha256 == Some(sink.finish()?.0)),
        Err(error) if error.kind == Kind::Cancelled => Err(error),
        Err(_) => Ok(false),
    }
}

/// Hashes what is there, and lets messages in meanwhile.
async fn hash(reader: &mut ModelReader, sink: &mut Sink, watch: &mut Watch<'_>) -> Result<()> {
    let mut buffer = vec![0; HASHED_AT_ONCE];
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        sink.hash_again(&buffer[..count]);
        watch.report(Stage::Verify, sink.bytes(), Some(reader.length()))?;
        platform::breathe().await;
    }
}

async fn wait_for_lock(folder: &Folder, wanted: &Wanted, watch: &mut Watch<'_>) -> Result<Lock> {
    let part = format!("{}{UNFINISHED}", wanted.file);
    loop {
        if let Some(lock) = Lock::try_take(&wanted.file).await? {
            return Ok(lock);
        }
        let done = folder.snapshot(&part).await?.map_or(0, |file| file.size() as u64);
        watch.report(Stage::Download, done, wanted.bytes)?;
        pause(PATIENCE).await;
    }
}

/// A sink that goes on where an interrupted download stopped, if that was the same file.
async fn continued(
    folder: &Folder,
    wanted: &Wanted,
    part: &str,
    full_after: Option<u64>,
    watch: &mut Watch<'_>,
) -> Result<Sink> {
    let record = Record::read(folder, part).await;
    let same = record.as_ref().is_some_and(|record| match wanted.sha256 {
        Some(_) => record.sha256 == wanted.sha256,
        None => record.validator.is_some() && wanted.addresses.contains(&record.address),
    });
    let snapshot = folder.snapshot(part).await?;
    let mut sink = Sink::file(folder, part, full_after).await?;
    match snapshot.map(|file| ModelReader::blob(file.into())).transpose()? {
        Some(mut reader) if same && wanted.bytes.is_none_or(|bytes| reader.length() <= bytes) => {
            hash(&mut reader, &mut sink, watch).await?;
        }
        _ => sink.restart()?,
    }
    sink.continues = record.and_then(|record| record.validator);
    Ok(sink)
}

/// Fetches what is missing, from the first address that gives it; answers with that address.
async fn download(
    wanted: &Wanted,
    sink: &mut Sink,
    part: Option<(&Folder, &str)>,
    watch: &mut Watch<'_>,
) -> Result<String> {
    let mut failure = Error::new(Kind::Network, format!("{} has no address", wanted.name));
    for address in &wanted.addresses {
        if wanted.bytes.is_some_and(|bytes| bytes == sink.bytes()) {
            return Ok(address.clone());
        }
        match from_address(wanted, address, sink, part, watch).await {
            Ok(()) => return Ok(address.clone()),
            Err(error) if matches!(error.kind, Kind::Network | Kind::Format) => failure = error.at_file(&wanted.file),
            Err(error) => return Err(error),
        }
    }
    Err(failure)
}

async fn from_address(
    wanted: &Wanted,
    address: &str,
    sink: &mut Sink,
    part: Option<(&Folder, &str)>,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let mut stream = Download::start(address, sink.bytes(), &watch.signal).await;
    if sink.bytes() > 0 && !stream.as_ref().is_ok_and(|stream| is_same(wanted, sink, stream)) {
        // The server cannot continue, or has another version by now.
        if stream.as_ref().is_err_and(|error| error.kind == Kind::Cancelled) {
            return stream.map(drop);
        }
        stream = Download::start(address, 0, &watch.signal).await;
    }
    let stream = stream?;
    if stream.offset == 0 {
        sink.restart()?;
    }
    let total = wanted.bytes.or(stream.total);
    if let Some((folder, part)) = part {
        let record = Record {
            address: address.to_owned(),
            validator: stream.validator.clone(),
            bytes: total.unwrap_or(0),
            sha256: wanted.sha256.clone(),
        };
        // Without its record the download cannot be continued later, that is all.
        let _ = record.write(folder, part).await;
    }
    while let Some(chunk) = stream.next().await? {
        sink.push(&chunk).await?;
        if wanted.bytes.is_some_and(|bytes| sink.bytes() > bytes) {
            break;
        }
        watch.report(Stage::Download, sink.bytes(), total)?;
    }
    if total.is_some_and(|total| sink.bytes() < total) {
        let message = format!("{address}: the download ended after {} of {} bytes", sink.bytes(), total.unwrap_or(0));
        return Err(Error::new(Kind::Network, message).help("try again: it goes on where it stopped"));
    }
    Ok(())
}

/// Whether what comes continues what is there. A known hash decides at the end; otherwise the server's word.
fn is_same(wanted: &Wanted, sink: &Sink, stream: &Download) -> bool {
    let version = || stream.validator.is_some() && stream.validator == sink.continues;
    stream.offset == sink.bytes() && (wanted.sha256.is_some() || version())
}

async fn finish(folder: &Folder, wanted: &Wanted, part: &str, sink: Sink, address: &str) -> Result<Obtained> {
    let bytes = sink.bytes();
    let (sha256, held) = sink.finish()?;
    if let Err(error) = check(wanted, bytes, &sha256) {
        Record::remove(folder, part).await?;
        return Err(error);
    }
    let (reader, kept) = match held {
        Some((blob, reason)) => (ModelReader::blob(blob)?, Err(reason)),
        None => {
            let record = Record { address: address.to_owned(), validator: None, bytes, sha256: Some(sha256.clone()) };
            Record::remove(folder, &wanted.file).await?;
            folder.rename(part, &wanted.file).await?;
            record.write(folder, &wanted.file).await?;
            Record::remove(folder, part).await?;
            let reader = folder.reader(&wanted.file).await?;
            (reader.ok_or_else(|| Error::new(Kind::Io, format!("{} was not kept", wanted.file)))?, Ok(()))
        }
    };
    Ok(Obtained { reader, facts: Facts { bytes, sha256, from_cache: false, kept } })
}

fn held(wanted: &Wanted, sink: Sink) -> Result<Obtained> {
    let bytes = sink.bytes();
    let (sha256, held) = sink.finish()?;
    check(wanted, bytes, &sha256)?;
    let (blob, reason) = held.ok_or_else(|| Error::internal("a model in memory has no memory"))?;
    let reader = ModelReader::blob(blob)?;
    Ok(Obtained { reader, facts: Facts { bytes, sha256, from_cache: false, kept: Err(reason) } })
}

/// Whether what came is what was wanted.
fn check(wanted: &Wanted, bytes: u64, sha256: &str) -> Result<()> {
    let wrong = |message: String| {
        Err(Error::format(message)
            .at_file(&wanted.file)
            .help("the download was damaged, or the file has changed at its source; try again"))
    };
    if bytes == 0 {
        return wrong("the file is empty".to_owned());
    }
    match &wanted.sha256 {
        Some(expected) if expected != sha256 => {
            wrong(format!("the SHA-256 should be {expected}, but is {sha256} ({bytes} bytes)"))
        }
        _ => match wanted.bytes {
            Some(expected) if expected != bytes => {
                wrong(format!("the file should have {expected} bytes, but has {bytes}"))
            }
            _ => Ok(()),
        },
    }
}
