//! The built web app and the model files beside it, as files.
//!
//! Serving files (ranges, validators, types, paths that try to climb out) is `tower-http`'s; here is only which folder
//! answers for which path, and the headers that a page which computes in workers needs.

use std::path::{Path, PathBuf};

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response};
use tower_http::services::ServeDir;

use super::api::{Answer, BoxBody};
use crate::cli::store::Store;
use crate::error::{Error, Result};

/// Where `xtask` and trunk build the page.
const USUAL_FOLDER: &str = "dist";

/// Sent with every file. The first three isolate the page, so that workers get exact clocks and shared memory.
const HEADERS: [(&str, &str); 5] = [
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-cache"),
];

/// The web app, if there is one.
#[derive(Debug, Clone, Default)]
pub struct App {
    pages: Option<ServeDir>,
    models: Option<ServeDir>,
}

impl App {
    /// The app in `folder`, or in the usual place if nobody names one; with it the model files of the store, which the
    /// page asks for at its own origin.
    ///
    /// # Errors
    /// A named folder without an `index.html`.
    pub fn find(folder: Option<&Path>, store: Option<&Store>) -> Result<Self> {
        let found = match folder {
            Some(folder) if folder.join("index.html").is_file() => Some(folder.to_path_buf()),
            Some(folder) => {
                return Err(Error::usage("there is no built web app in this folder")
                    .at_file(folder.display().to_string())
                    .in_field("--app")
                    .help("build it with `trunk build --release`, or leave --app out"));
            }
            None => Some(PathBuf::from(USUAL_FOLDER)).filter(|folder| folder.join("index.html").is_file()),
        };
        let Some(pages) = found else { return Ok(Self::default()) };
        let models = store.map(|store| ServeDir::new(store.folder()));
        Ok(Self { pages: Some(ServeDir::new(pages)), models })
    }

    /// Whether there is an app to show.
    pub fn has_pages(&self) -> bool {
        self.pages.is_some()
    }

    /// The file that a path names, or `None` where there is no app.
    pub async fn answer<B>(&self, mut request: Request<B>) -> Option<Answer>
    where
        B: Send + 'static,
    {
        let below = request.uri().path().strip_prefix("/models/").map(|rest| format!("/{rest}"));
        let folder = match (&below, &self.models) {
            (Some(rest), Some(models)) => {
                *request.uri_mut() = rest.parse().ok()?;
                models
            }
            _ => self.pages.as_ref()?,
        };
        let found = folder.clone().try_call(request).await;
        let mut answer: Answer = match found {
            Ok(response) => response.map(|body| -> BoxBody { body.map_err(Into::into).boxed_unsync() }),
            // The folder itself is gone, as while the page is built anew.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                let body = http_body_util::Full::new(Bytes::from(format!("{error}\n")));
                let mut answer: Answer = Response::new(body.map_err(|never| match never {}).boxed_unsync());
                *answer.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
                answer
            }
        };
        for (name, value) in HEADERS {
            answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Some(answer)
    }
}
