//! `candor serve`: one model and one task behind HTTP, with the web app beside it.
//!
//! Texts that wait are computed together, whoever sent them ([`desk`]); what a request may ask and what it gets is in
//! [`api`], said to programs and people by [`openapi`]; [`web`] hands out the built page. It listens on this machine
//! only unless told otherwise, and every limit (body, texts in the queue, connections, seconds of silence) has an
//! answer in JSON that says which one it was. It knows nothing of TLS or of users: whoever opens it to a network puts
//! a proxy in front.
//!
//! SIGINT and SIGTERM end it gracefully: nobody new is let in, what was accepted is finished, a second signal ends it
//! at once.

mod api;
mod desk;
mod openapi;
mod web;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use self::api::{Facts, Limits, Service};
use self::desk::Desk;
use super::classify::{load, read_task};
use super::output::Output;
use super::scoring;
use super::store::Store;
use crate::classify::quietly;
use crate::error::{Error, Result};
use crate::task::BiasMethod;

/// How long a client may take for a request's head, and how long a connection may rest between two requests.
const HEAD_SECONDS: u64 = 15;
/// Connections that are served at the same time; further ones wait to be accepted.
const CONNECTIONS: usize = 256;
/// How long a graceful stop waits for what is running.
const FAREWELL: Duration = Duration::from_secs(60);

/// What the command takes.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    scoring: scoring::Arguments,
    /// The port; 0 takes any free one.
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// The address to listen on. Anything but this machine's own lets others in: there is no password and no TLS.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Answer requests for this host, too, as a proxy passes them on that keeps the name which it was asked by. May be
    /// given several times. Only this machine's own names are answered for while only this machine is listened on.
    #[arg(long, value_name = "NAME", value_parser = parse_host)]
    allow_host: Vec<String>,
    /// The built web app; by default `dist` in the current folder, where it is there.
    #[arg(long, value_name = "FOLDER")]
    app: Option<PathBuf>,
    /// The longest body of a request, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(1..))]
    body_limit: u32,
    /// Texts that may wait at the same time; a request that finds no room is answered with 429.
    #[arg(long, value_name = "TEXTS", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    queue_limit: u32,
    /// Seconds that a client may take to send a request's body.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    body_seconds: u64,
}

fn parse_host(name: &str) -> std::result::Result<String, String> {
    match name.is_empty() || name.contains(['/', ':', ' ']) {
        true => Err("give a host's name alone, as in candor.example, without scheme or port".to_owned()),
        false => Ok(name.to_owned()),
    }
}

/// Runs the command: until a signal, or until the port cannot be had.
///
/// # Errors
/// A model, task or calibrator that cannot be read; a port that is taken.
pub fn run(arguments: &Arguments, json: bool) -> Result<()> {
    let app = web::App::find(arguments.app.as_deref(), Store::open().ok().as_ref())?;
    let task = read_task(&arguments.scoring.task)?;
    let adapter = arguments.scoring.open_adapter()?;
    let calibrator = arguments.scoring.open_calibrator(&task, adapter.as_ref())?;
    // A calibrator that does not fit is told now, not with the first request.
    arguments.scoring.finish(calibrator.as_ref(), &task)?;
    let mut classifier = load(&arguments.scoring.model, arguments.scoring.backend.choice()?)?;
    classifier.set_adapter(adapter)?;
    let prepared = pollster::block_on(quietly(async |control| classifier.set_task(&task, control).await))?;
    prepared.warnings.iter().for_each(|warning| eprintln!("note: {warning}"));
    if task.bias.method == BiasMethod::Batch {
        eprintln!("note: batch bias correction needs all rows at once, so it is left out here");
    }
    let facts = Facts {
        model: arguments.scoring.model.clone(),
        task: task.name.clone(),
        labels: task.labels.iter().map(|label| label.name.clone()).collect(),
        calibrated: calibrator.is_some(),
        backend: classifier.model_info().backend,
    };
    let limits = Limits {
        body_bytes: arguments.body_limit as usize,
        queue_texts: arguments.queue_limit as usize,
        body_seconds: Duration::from_secs(arguments.body_seconds),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::from)?;
    let (desk, queue) = Desk::new(limits.queue_texts);
    let how_sure = arguments.scoring.how_sure(&task, &classifier)?;
    let settings = desk::Settings { task, calibrator, scoring: &arguments.scoring, how_sure };
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || desk::work(queue, &classifier, &settings));
        let served = runtime.block_on(async {
            let listener = listen(arguments.host, arguments.port).await?;
            let address = listener.local_addr().map_err(Error::from)?;
            announce(address, &facts, app.has_pages(), json)?;
            let service = Arc::new(Service::new(facts, limits, desk, app, (address, arguments.allow_host.clone())));
            serve(listener, service).await;
            Ok(())
        });
        // What still runs (a client that would not go) ends with the runtime, and with it the last hold on the desk.
        runtime.shutdown_timeout(Duration::from_secs(1));
        worker.join().map_err(|_| Error::internal("the classifying thread ended in a panic"))?;
        served
    })
}

async fn listen(host: IpAddr, port: u16) -> Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(host, port)).await.map_err(|error| {
        let taken = error.kind() == std::io::ErrorKind::AddrInUse;
        let wrong = Error::from(error).at_file(SocketAddr::new(host, port).to_string());
        let help = if taken { "another program listens there: choose another --port" } else { "see --host and --port" };
        wrong.in_field("--port").help(help)
    })
}

/// Says where it runs: to programs on one line of JSON.
fn announce(address: SocketAddr, facts: &Facts, pages: bool, json: bool) -> Result<()> {
    let url = format!("http://{address}/");
    if !address.ip().is_loopback() {
        eprintln!("warning: {address} can be reached from other machines; there is no password and no TLS");
    }
    if !pages {
        eprintln!("note: no built web app was found, only the interface is served (see --app)");
    }
    let mut output = Output::standard();
    match json {
        true => output.json(&serde_json::json!({
            "url": url, "port": address.port(), "model": facts.model, "task": facts.task, "app": pages,
        }))?,
        false => {
            output.line(&format!("{} with the task {} is served at {url} (Ctrl-C ends it)", facts.model, facts.task))?
        }
    }
    output.flush()
}

/// Accepts connections until a signal, then finishes what was accepted.
async fn serve(listener: TcpListener, service: Arc<Service>) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(signal());
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (stream, place) = tokio::select! {
            (accepted, place) = accepted => match accepted {
                Ok((stream, _)) => (stream, place),
                Err(error) => {
                    // Out of file handles, mostly: others must end before there is room again.
                    eprintln!("warning: a connection could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let for_connection = Arc::clone(&service);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(HEAD_SECONDS))
            .max_buf_size(64 * 1024)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| api::answer(Arc::clone(&for_connection), request)),
            );
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away in the middle is its own business.
            let _ = watched.await;
            drop(place);
        });
    }
    drop(listener);
    service.stopping.store(true, Ordering::SeqCst);
    eprintln!("stopping: what was accepted is finished; once more to end at once");
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(FAREWELL) => eprintln!("warning: some clients were still connected after a minute"),
        () = signal() => std::process::exit(130),
    }
}

/// Comes back when the process is asked to end.
async fn signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // No handler could be set: the platform's own way to end a process remains.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
