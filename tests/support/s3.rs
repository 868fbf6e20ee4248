//! An S3-compatible store in this process: a real server of the protocol, with its objects in a directory. The tests of the server
//! share this file.

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The credentials that the store accepts.
pub(crate) const KEY_ID: &str = "AKIAFOXFOXFOXFOX";
pub(crate) const SECRET: &str = "the+secret/key+of+the+fox";

/// The bucket that is there.
pub(crate) const BUCKET: &str = "clipia";

/// A running store. Dropping it ends the store.
pub(crate) struct S3 {
    pub(crate) url: String,
    objects: TempDir,
    /// The calls that are still answered.
    calls: Arc<AtomicU64>,
    _connections: JoinSet<()>,
}

impl S3 {
    pub(crate) async fn start() -> Self {
        let objects = tempfile::tempdir().unwrap();
        std::fs::create_dir(objects.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(objects.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicU64::new(u64::MAX));
        let (left, mut tasks) = (Arc::clone(&calls), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (service, left) = (service.clone(), Arc::clone(&left));
                let answer = service_fn(move |call| answer(service.clone(), Arc::clone(&left), call));
                connections.spawn(async move {
                    // A client that goes away is no failure.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        Self { url, objects, calls, _connections: tasks }
    }

    /// Answers so many calls more. Each one after those breaks off.
    pub(crate) fn go_away_after(&self, calls: u64) {
        self.calls.store(calls, Ordering::SeqCst);
    }

    /// Answers all calls.
    pub(crate) fn come_back(&self) {
        self.calls.store(u64::MAX, Ordering::SeqCst);
    }

    /// Leaves an object in the bucket.
    pub(crate) fn leave(&self, key: &str) {
        let path = self.objects.path().join(BUCKET).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "fox").unwrap();
    }

    /// The keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        let (top, mut keys) = (self.objects.path().join(BUCKET), Vec::new());
        let mut directories: Vec<PathBuf> = vec![top.clone()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => directories.push(path),
                    false => keys.push(path.strip_prefix(&top).unwrap().to_str().unwrap().to_owned()),
                }
            }
        }
        keys.sort();
        keys
    }
}

async fn answer(
    service: S3Service,
    left: Arc<AtomicU64>,
    call: http::Request<Incoming>,
) -> Result<http::Response<s3s::Body>, Box<dyn std::error::Error + Send + Sync>> {
    let took = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if took.is_err() {
        return Err("the store is away".into());
    }
    Service::call(&service, call).await.map_err(|error| format!("{error:?}").into())
}
