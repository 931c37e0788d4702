//! The model store and the codec inside a real browser's worker: a private file system, locks, streams and blobs are
//! there or they are not, and nothing but a browser can say how they behave.
//!
//! Downloads come from `blob:` addresses, so no server is needed; resuming and other hosts belong to the tests of the
//! whole page. Each test uses file names of its own, because they share one file system.

#![cfg(target_arch = "wasm32")]

use std::io::{Read, Seek, SeekFrom};

use candor::error::{Error, Kind};
use candor::protocol::{
    BatchReply, BatchRequest, FromWorker, MemoryUse, ModelSource, Progress, Reply, Request, Stage, ToWorker,
};
use candor::task::{BUILT_IN, Task};
use candor_web::codec::Packet;
use candor_web::store::blob::BlobReader;
use candor_web::store::locks::Lock;
use candor_web::store::opfs::{Folder, MODELS};
use candor_web::store::{Obtained, Store, Wanted, Watch, is_intact, obtain};
use candor_web::switches::Switches;
use js_sys::{Array, Uint8Array};
use sha2::{Digest, Sha256};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{AbortController, Blob, Url};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Bytes that begin as a model does and do not repeat.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    b"GGUF".iter().copied().chain(random).take(length).collect()
}

fn blob(bytes: &[u8]) -> Blob {
    Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes))).expect("a blob")
}

fn address(bytes: &[u8]) -> String {
    Url::create_object_url_with_blob(&blob(bytes)).expect("an address")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn manifest(file: &str, content: &[u8], urls: Vec<String>) -> ModelSource {
    let name = file.to_owned();
    ModelSource::Manifest { file: name.clone(), name, bytes: content.len() as u64, sha256: sha256(content), urls }
}

async fn fetch(store: &Store, source: &ModelSource) -> Result<(Obtained, Vec<Progress>), Error> {
    let mut seen = Vec::new();
    let mut hear = |progress| seen.push(progress);
    let signal = AbortController::new().expect("a controller").signal();
    let obtained = obtain(store, &Wanted::new(source)?, &mut Watch::new(signal, &mut hear)).await?;
    Ok((obtained, seen))
}

fn read(obtained: &mut Obtained) -> Vec<u8> {
    let mut all = Vec::new();
    obtained.reader.read_to_end(&mut all).expect("readable");
    all
}

async fn kept_names(store: &Store, prefix: &str) -> Vec<String> {
    let report = store.report().await.expect("a report");
    assert!(report.available && report.quota.is_some_and(|quota| quota > 0), "{report:?}");
    report.models.into_iter().map(|(name, _)| name).filter(|name| name.starts_with(prefix)).collect()
}

#[wasm_bindgen_test]
async fn a_model_is_fetched_once_and_then_found() {
    let store = Store::open(&Switches::default()).await;
    let content = bytes(3 << 20);
    let (mut first, progress) =
        fetch(&store, &manifest("once.gguf", &content, vec![address(&content)])).await.expect("fetched");
    assert!(!first.facts.from_cache && first.facts.kept.is_ok());
    assert_eq!((first.facts.bytes, first.facts.sha256.clone()), (content.len() as u64, sha256(&content)));
    assert_eq!(read(&mut first), content);
    let whole = Some(content.len() as u64);
    let last = progress.last().expect("progress");
    assert_eq!((last.stage, Some(last.done), last.total), (Stage::Download, whole, whole));
    assert_eq!(kept_names(&store, "once").await, ["once.gguf"]);

    // No address answers any more: it must come from here, twice at the same time, as two tabs do.
    let gone = manifest("once.gguf", &content, vec!["blob:nowhere".to_owned()]);
    let (mut second, progress) = fetch(&store, &gone).await.expect("kept");
    let (mut third, _) = fetch(&store, &ModelSource::Kept { file: "once.gguf".to_owned() }).await.expect("kept");
    assert!(second.facts.from_cache && third.facts.from_cache && progress.is_empty());
    assert_eq!(read(&mut second), content);
    assert_eq!(read(&mut third), content);
    drop((first, second, third));

    store.forget("once.gguf").await.expect("removed");
    assert!(kept_names(&store, "once").await.is_empty());
    assert_eq!(fetch(&store, &gone).await.expect_err("nothing is left").kind, Kind::Network);
    assert!(kept_names(&store, "once").await.is_empty(), "a failed request leaves nothing");
}

#[wasm_bindgen_test]
async fn a_wrong_hash_names_both_and_keeps_what_was_there() {
    let store = Store::open(&Switches::default()).await;
    let good = bytes(70_000);
    fetch(&store, &manifest("hash.gguf", &good, vec![address(&good)])).await.expect("fetched");
    let wanted = bytes(80_000);
    let mut damaged = wanted.clone();
    damaged[79_999] ^= 1;
    let error = fetch(&store, &manifest("hash.gguf", &wanted, vec![address(&damaged)])).await.expect_err("damaged");
    assert_eq!(error.kind, Kind::Format);
    assert!(error.message.contains(&sha256(&wanted)) && error.message.contains(&sha256(&damaged)), "{error}");
    let (mut still, _) = fetch(&store, &ModelSource::Kept { file: "hash.gguf".to_owned() }).await.expect("still there");
    assert_eq!(read(&mut still), good);

    // The second address has it; the new file takes the old one's place.
    drop(still);
    let urls = vec![address(b"<!doctype html>"), address(&wanted)];
    let (mut new, _) = fetch(&store, &manifest("hash.gguf", &wanted, urls)).await.expect("from the second address");
    assert_eq!(read(&mut new), wanted);
    drop(new);
    assert_eq!(kept_names(&store, "hash").await, ["hash.gguf"]);
    store.forget("hash.gguf").await.expect("removed");
}

#[wasm_bindgen_test]
async fn a_picked_file_replaces_one_of_its_name() {
    let store = Store::open(&Switches::default()).await;
    for length in [5_000, 6_000] {
        let content = bytes(length);
        let source = ModelSource::File { url: address(&content), name: "picked.gguf".to_owned(), bytes: length as u64 };
        let (mut obtained, _) = fetch(&store, &source).await.expect("read");
        assert_eq!((obtained.facts.from_cache, obtained.facts.sha256.clone()), (false, sha256(&content)));
        assert_eq!(read(&mut obtained), content);
    }
    for (content, words) in [(&b"Dear aunt, no model"[..], "GGUF"), (b"", "empty")] {
        let bytes = content.len() as u64;
        let source = ModelSource::File { url: address(content), name: "letter.gguf".to_owned(), bytes };
        let error = fetch(&store, &source).await.expect_err("no model");
        assert_eq!(error.kind, Kind::Format);
        assert!(error.message.contains(words), "{error}");
    }
    assert!(kept_names(&store, "letter").await.is_empty());
    store.forget("picked.gguf").await.expect("removed");
}

#[wasm_bindgen_test]
async fn a_full_disk_and_a_missing_one_keep_the_model_in_memory() {
    let content = bytes(900_000);
    for (switches, words) in [
        (Switches { full_after: Some(200_000), ..Switches::default() }, "no storage left"),
        (Switches { no_storage: true, ..Switches::default() }, "switched off"),
    ] {
        let store = Store::open(&switches).await;
        let (mut obtained, _) =
            fetch(&store, &manifest("full.gguf", &content, vec![address(&content)])).await.expect("in memory");
        assert!(obtained.facts.kept.as_ref().expect_err("not kept").contains(words), "{:?}", obtained.facts.kept);
        assert_eq!(obtained.facts.sha256, sha256(&content));
        assert_eq!(read(&mut obtained), content);
    }
    assert!(kept_names(&Store::open(&Switches::default()).await, "full").await.is_empty());
}

#[wasm_bindgen_test]
async fn a_stopped_download_ends_as_cancelled() {
    let store = Store::open(&Switches::default()).await;
    let content = bytes(4 << 20);
    let controller = AbortController::new().expect("a controller");
    let stop = controller.clone();
    let mut hear = move |_| stop.abort();
    let wanted = Wanted::new(&manifest("stop.gguf", &content, vec![address(&content)])).expect("a source");
    let outcome = obtain(&store, &wanted, &mut Watch::new(controller.signal(), &mut hear)).await;
    assert_eq!(outcome.expect_err("stopped").kind, Kind::Cancelled);
    store.forget("stop.gguf.part").await.expect("removed");
    assert!(kept_names(&store, "stop").await.is_empty());
}

#[wasm_bindgen_test]
async fn a_file_that_changed_on_the_disk_is_known() {
    let store = Store::open(&Switches::default()).await;
    let content = bytes(50_000);
    let source = manifest("disk.gguf", &content, vec![address(&content)]);
    drop(fetch(&store, &source).await.expect("fetched"));
    let wanted = Wanted::new(&source).expect("a source");
    let intact = async || {
        let signal = AbortController::new().expect("a controller").signal();
        is_intact(&store, &wanted, &mut Watch::new(signal, &mut |_| {})).await.expect("hashed")
    };
    assert!(intact().await);
    let folder = Folder::open(MODELS).await.expect("the folder");
    let change = folder.writer("disk.gguf").await.expect("free").write_at(40_000, &Uint8Array::from(&b"!?"[..]));
    change.expect("written");
    assert!(!intact().await);
    store.forget("disk.gguf").await.expect("removed");
}

#[wasm_bindgen_test]
async fn one_writer_a_file() {
    let first = Lock::try_take("lock.gguf").await.expect("an answer").expect("free");
    assert!(Lock::try_take("lock.gguf").await.expect("an answer").is_none());
    assert!(Lock::try_take("other.gguf").await.expect("an answer").is_some());
    drop(first);
    assert!(Lock::take_soon("lock.gguf").await.expect("an answer").is_some());
}

#[wasm_bindgen_test]
fn a_blob_reads_as_a_file_does() {
    let content = bytes((2 << 20) + 17);
    let mut reader = BlobReader::new(blob(&content)).expect("inside a worker");
    let mut file = std::io::Cursor::new(&content);
    let end = content.len() as u64;
    for (seek, length) in [
        (SeekFrom::Start(0), 10),
        (SeekFrom::Current(5), 1),
        (SeekFrom::Start((1 << 20) - 3), 6),
        (SeekFrom::Start(7), 2 << 20),
        (SeekFrom::End(-4), 4),
        (SeekFrom::Current(-end.cast_signed()), 20),
        (SeekFrom::Start(end - 2), 2),
    ] {
        assert_eq!(reader.seek(seek).expect("a place"), file.seek(seek).expect("a place"));
        let (mut ours, mut theirs) = (vec![0; length], vec![0; length]);
        reader.read_exact(&mut ours).expect("enough bytes");
        file.read_exact(&mut theirs).expect("enough bytes");
        assert!(ours == theirs, "{seek:?} {length}");
    }
    assert_eq!(reader.read(&mut [0; 4]).expect("the end"), 0);
    assert!(reader.seek(SeekFrom::Current(-1 - end.cast_signed())).is_err());
    reader.seek(SeekFrom::Start(end + 9)).expect("beyond the end, as in a file");
    assert_eq!(reader.read(&mut [0; 4]).expect("nothing"), 0);
}

#[wasm_bindgen_test]
fn messages_survive_the_line() {
    let content = bytes(9);
    let requests = [
        Request::Hello { protocol: 3 },
        Request::LoadModel { source: manifest("a.gguf", &content, vec!["https://a.example/a.gguf".to_owned()]) },
        Request::Classify { text: "👍🏽 \u{0} \"x\"".to_owned(), top: 12, limit_tokens: usize::MAX >> 1 },
        Request::Batch(Box::new(BatchRequest {
            adapter: None,
            vectors: Default::default(),
            model: sha256(&content),
            task: Task::from_toml(BUILT_IN[0].1).expect("a task"),
            texts: vec![String::new(), "a\nb".to_owned()],
            top: 0,
            limit_tokens: 2048,
        })),
        Request::Cancel { target: (1 << 53) - 1 },
        Request::Storage,
    ];
    for request in requests {
        let message = ToWorker { id: 7, request };
        let packet = Packet::pack(&message).expect("plain data");
        assert_eq!(packet.unpack::<ToWorker>().expect("the same type"), message);
    }
    let replies = [
        Reply::Progress(Progress { stage: Stage::Load, done: 5, total: None }),
        Reply::Batch(Box::new(BatchReply {
            results: Vec::new(),
            prefix_tokens: 62,
            memory: MemoryUse { weights: 5 << 30, peak: Some(6 << 30) },
        })),
        Reply::Failed(Error::format("x").at_file("f").at_line(2).help("h")),
    ];
    for reply in replies {
        let message = FromWorker { id: 0, reply };
        assert_eq!(Packet::pack(&message).expect("plain data").unpack::<FromWorker>().expect("the same"), message);
    }
    // Another version's message is an error, not a panic.
    let foreign = Packet::pack(&("something", 5)).expect("plain data");
    let error = foreign.unpack::<ToWorker>().expect_err("another type");
    assert!(error.help.is_some_and(|help| help.contains("reload")));
}
