//! An HTTP client that sends a request as given and returns the response, like curl.
//!
//! It is not the SDK: it does not retry, follows no redirect, reads no environment variable, and sends invalid values too.

use super::DEADLINE;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server's address, and the headers of every request.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    authority: String,
    headers: Vec<(String, String)>,
}

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Raw {
    /// A client of the server at `url`, without a key.
    pub(crate) fn new(url: &str) -> Self {
        let authority = url.strip_prefix("http://").expect("the server under test speaks plain HTTP");
        Self { authority: authority.trim_end_matches('/').to_owned(), headers: Vec::new() }
    }

    /// Adds this key, in the recommended form.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Adds this header to every request.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the headers of this name.
    pub(crate) fn only(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.header(name, value)
    }

    /// The value of a header of every request.
    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        &found.expect("the header goes with every request").1
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let json = self.clone().header("content-type", "application/json");
        json.send(Method::POST, path, body.to_string().into()).await
    }

    /// Sends one request over a new connection.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Bytes) -> Response {
        let what = format!("{method} {path}");
        self.try_send(method, path, body).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Like [`Raw::send`], for a server that may have stopped.
    pub(crate) async fn try_send(&self, method: Method, path: &str, body: Bytes) -> Result<Response, String> {
        let mut request = Request::builder().method(method).uri(path);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", &self.authority);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let response = timeout(DEADLINE, self.exchange(request)).await;
        response.map_err(|_| format!("no response in {DEADLINE:?}"))?.map_err(|error| error.to_string())
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response, Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Response { status: head.status, headers: head.headers, body })
    }
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The value of a header, which must be present once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().unwrap(),
            _ => panic!("`{name}` is not there once: {self:?}"),
        }
    }

    /// The response, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Checks that the response is the API's error with this code.
    #[track_caller]
    pub(crate) fn expect_error(&self, code: &str) {
        let known = clipia_api::error_code::ErrorCode::from_code(code).expect("the contract names the code");
        let body = self.json();
        let found = (self.status.as_u16(), body["error"]["type"].as_str(), body["error"]["code"].as_str());
        assert_eq!(found, (known.http_status(), Some(known.family()), Some(code)), "{self:?}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    }
}
