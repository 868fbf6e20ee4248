//! The files that inputs name, fetched by the server and passed on to a session.
//!
//! A fetch may take longer than a proxy lets a call last. So a task of its own fetches each file once for an attempt, and a call
//! that comes too early is told to come again.

use super::attempts::Attempt;
use super::authorization::Caller;
use super::{Remote, attempt_of};
use crate::api_error::ApiError;
use crate::executors::{Job, JobError};
use crate::http::{FileResponse, Validators, file_body};
use crate::{blocking, private};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::response::Response;
use clipia_api::error_code::ErrorCode;
use clipia_queue::input::FILE_TYPES;
use clipia_remote::types::GetInputQuery;
use clipia_worker::regular;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::Instrument;

/// The most bytes of all files of one input, as for a program on this machine.
const INPUT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The most files of one input.
const INPUT_FILES_MAX: usize = 64;

/// How long a call waits for a file. Proxies cut longer calls.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// The `Retry-After` of a file that is being fetched, and of one that cannot be fetched now.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(5);

/// The directory of these files in an attempt's directory.
const INPUTS: &str = "inputs";

/// The files that one attempt has asked for.
pub(super) struct FetchedInputs {
    files: Mutex<HashMap<Wanted, Awaited>>,
    /// The bytes that the files may still have.
    room: AtomicU64,
    /// The number of the next file.
    next: AtomicU64,
}

/// A parameter of the input, and which of its files.
type Wanted = (String, u32);

/// A file that is there, or is being fetched.
type Awaited = watch::Receiver<Option<Result<Arc<Fetched>, NotFetched>>>;

/// A file that was fetched.
#[derive(Debug)]
struct Fetched {
    path: PathBuf,
    media_type: Option<String>,
    /// What tells it from the same file, fetched again.
    etag: HeaderValue,
}

/// Why a file was not fetched.
#[derive(Clone, Debug)]
enum NotFetched {
    /// The generation fails with this sentence.
    Failed(String),
    /// The server cannot fetch now.
    Unavailable,
}

impl Default for FetchedInputs {
    fn default() -> Self {
        Self { files: Mutex::default(), room: AtomicU64::new(INPUT_BYTES_MAX), next: AtomicU64::new(0) }
    }
}

impl FetchedInputs {
    fn files(&self) -> MutexGuard<'_, HashMap<Wanted, Awaited>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn get(
    State(remote): State<Arc<Remote>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<GetInputQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Path((request, epoch)) = path.map_err(|_| ApiError::invalid("the path is not UTF-8"))?;
    let Query(query) = query.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    let attempt = remote.in_force(&caller, attempt_of(&request, &epoch)?).await?;
    crate::http::note_request(attempt.id.id);
    let url = remote.url(&attempt, &query).ok_or_else(|| {
        let message =
            format!("the input has no file {} of the parameter `{}`", query.number, query.parameter);
        ApiError::new(ErrorCode::NotFound, message)
    })?;
    let awaited = remote.fetch(&attempt, (query.parameter, query.number), url)?;
    let fetched = tokio::select! {
        fetched = timeout(WAIT_MAX, there(awaited)) => fetched,
        () = attempt.ended.cancelled() => return Err(attempt.lost()),
    };
    let fetched = fetched.map_err(|_| {
        ApiError::new(ErrorCode::ServiceUnavailable, "the file is being fetched: ask again").after(SOON)
    })?;
    let fetched = fetched.map_err(|error| match error {
        NotFetched::Failed(why) => ApiError::new(ErrorCode::ModelInputInvalid, why),
        NotFetched::Unavailable => {
            let message = "the server cannot fetch the file now; the call can be repeated";
            ApiError::new(ErrorCode::ServiceUnavailable, message).after(LATER)
        }
    })?;
    let response = blocking::run(move || respond(&headers, &fetched)).await;
    match response.map_err(|lost| ApiError::internal(&lost))? {
        Ok(response) => Ok(response),
        Err(_) if attempt.ended.is_cancelled() => Err(attempt.lost()),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

/// Waits until a file is there, or cannot be fetched.
async fn there(mut awaited: Awaited) -> Result<Arc<Fetched>, NotFetched> {
    let fetched = awaited.wait_for(Option::is_some).await;
    // The task may have been given up.
    fetched.ok().and_then(|fetched| fetched.clone()).unwrap_or(Err(NotFetched::Unavailable))
}

impl Remote {
    /// The URL that a parameter of the input names.
    fn url(&self, attempt: &Attempt, query: &GetInputQuery) -> Option<String> {
        let model = &self.catalogue.get(&attempt.claim.model)?.model;
        let mut parameters = model.input_schema.as_ref()?.parameters.iter();
        parameters.find(|parameter| {
            parameter.name == query.parameter && FILE_TYPES.contains(&parameter.type_.as_str())
        })?;
        match (attempt.claim.input.get(&query.parameter)?, query.number) {
            (Value::String(url), 0) => Some(url.clone()),
            (Value::Array(urls), number) => {
                Some(urls.get(usize::try_from(number).ok()?)?.as_str()?.to_owned())
            }
            _ => None,
        }
    }

    /// The file that is being fetched; the first call begins it.
    fn fetch(&self, attempt: &Arc<Attempt>, wanted: Wanted, url: String) -> Result<Awaited, ApiError> {
        let mut files = attempt.inputs.files();
        if files.len() >= INPUT_FILES_MAX && !files.contains_key(&wanted) {
            let message = format!("an input may have {INPUT_FILES_MAX} files");
            return Err(ApiError::new(ErrorCode::ModelInputInvalid, message));
        }
        let (fetched, awaited) = watch::channel(None);
        match files.entry(wanted.clone()) {
            Entry::Occupied(mut known) => {
                let again = match &*known.get().borrow() {
                    Some(Err(NotFetched::Unavailable)) => true,
                    Some(_) => false,
                    None => known.get().has_changed().is_err(),
                };
                if !again {
                    return Ok(known.get().clone());
                }
                known.insert(awaited.clone());
            }
            Entry::Vacant(new) => drop(new.insert(awaited.clone())),
        }
        let number = attempt.inputs.next.fetch_add(1, Ordering::Relaxed);
        let to = attempt.directory.join(INPUTS).join(number.to_string());
        let (inputs, slots) = (Arc::clone(&self.inputs), Arc::clone(&self.fetches));
        let job = self.job(attempt);
        let attempt = Arc::clone(attempt);
        let fetching = async move {
            let fetch = async {
                let job = job?;
                let _slot = slots.wait(job.account.clone()).await;
                let room = attempt.inputs.room.load(Ordering::Relaxed);
                make_directory(to.clone()).await?;
                let media_type = inputs.fetch(&job, &wanted.0, &url, &to, room).await?;
                let bytes = tokio::fs::metadata(&to).await.map_err(unkept)?.len();
                let less = |room: u64| Some(room.saturating_sub(bytes));
                let _ = attempt.inputs.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                Ok(Arc::new(Fetched { path: to, media_type, etag: new_etag() }))
            };
            let result = tokio::select! {
                result = fetch => result,
                () = attempt.ended.cancelled() => return,
            };
            fetched.send_replace(Some(result.map_err(|error| match error {
                JobError::Failed(why) | JobError::FailedWithCode { why, .. } => NotFetched::Failed(why),
                error => {
                    tracing::warn!(request_id = %attempt.id.id, %error, "a file of an input cannot be fetched now");
                    NotFetched::Unavailable
                }
            })));
        };
        self.tasks.spawn(fetching.in_current_span());
        Ok(awaited)
    }

    /// The job of an attempt, as far as a fetch needs it.
    fn job(&self, attempt: &Attempt) -> Result<Job, JobError> {
        let claim = &attempt.claim;
        let entry = self.catalogue.get(&claim.model);
        let entry = entry.ok_or_else(|| JobError::Failed(super::no_longer_offered(&claim.model).message))?;
        Ok(Job {
            id: claim.id,
            account: claim.account.clone(),
            model: Arc::new(entry.model.clone()),
            input: serde_json::Map::new(),
            base_url: claim.base_url.clone(),
            source: None,
            directory: None,
        })
    }
}

async fn make_directory(of: PathBuf) -> Result<(), JobError> {
    let making = blocking::run(move || of.parent().map_or(Ok(()), private::directory)).await;
    making.map_err(io::Error::other).and_then(|made| made).map_err(unkept)
}

/// The error of a file that cannot be kept: this machine is at fault.
fn unkept(error: io::Error) -> JobError {
    JobError::Unavailable(format!("cannot keep an input: {error}"))
}

fn new_etag() -> HeaderValue {
    let tag = format!("\"{}\"", hex::encode(rand::random::<[u8; 16]>()));
    // Hexadecimal digits are always a valid header value.
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// The response with a file, or with the part of it that `headers` ask for.
fn respond(headers: &HeaderMap, fetched: &Fetched) -> io::Result<Response> {
    let file = regular::open(&fetched.path)?;
    let length = file.metadata()?.len();
    let validators = Validators { etag: fetched.etag.clone(), modified: None, length };
    let response = match FileResponse::to(&Method::GET, headers, validators) {
        Ok(response) => response,
        Err(refused) => return Ok(refused),
    };
    let body = file_body(file, response.body())?;
    let told = fetched.media_type.as_ref().and_then(|told| HeaderValue::try_from(told).ok());
    let unknown = HeaderValue::from_static("application/octet-stream");
    let mut response = response.with(told.unwrap_or(unknown), body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
