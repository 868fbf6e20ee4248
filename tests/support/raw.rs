//! An HTTP client that sends what it is told and shows what came back, like curl.
//!
//! Not the SDK: it retries nothing, follows nothing, reads no environment and lets through what is wrong.

use super::DEADLINE;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A server's address, with the headers that go with every request.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    authority: String,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Raw {
    /// Speaks to the server at `url`, without a key.
    pub(crate) fn new(url: &str) -> Self {
        let authority = url.strip_prefix("http://").expect("the server under test speaks plain HTTP");
        Self { authority: authority.trim_end_matches('/').to_owned(), headers: Vec::new() }
    }

    /// With this key, in the recommended form.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// With this header in every request.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this header in place of others of its name.
    pub(crate) fn only(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.header(name, value)
    }

    /// The value of a header that goes with every request.
    pub(crate) fn value(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        &found.expect("the header goes with every request").1
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let json = self.clone().header("content-type", "application/json");
        json.send(Method::POST, path, body.to_string().into()).await
    }

    /// One request over a connection of its own.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Bytes) -> Answer {
        let what = format!("{method} {path}");
        self.try_send(method, path, body).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// As [`Raw::send`], to a server that may be gone.
    pub(crate) async fn try_send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(path);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", &self.authority);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).unwrap();
        let answer = timeout(DEADLINE, self.exchange(request)).await;
        answer.map_err(|_| format!("no answer in {DEADLINE:?}"))?.map_err(|error| error.to_string())
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The value of a header that must be there once.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().unwrap(),
            _ => panic!("`{name}` is not there once: {self:?}"),
        }
    }

    /// The answer, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Checks that this is the contract's error of this code.
    #[track_caller]
    pub(crate) fn expect_error(&self, code: &str) {
        let known = clipia_api::error_code::ErrorCode::from_code(code).expect("the contract names the code");
        let body = self.json();
        let found = (self.status.as_u16(), body["error"]["type"].as_str(), body["error"]["code"].as_str());
        assert_eq!(found, (known.http_status(), Some(known.family()), Some(code)), "{self:?}");
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    }
}
