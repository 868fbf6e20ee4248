//! Reads a response of the administration: its body, or why the call did nothing.

use clipia_api::types::ErrorEnvelope;
use progenitor_client::{Error, ResponseValue};
use reqwest::Response;
use serde::de::DeserializeOwned;
use std::io;
use std::path::PathBuf;

/// A call to the administration that did nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// No server runs on the directory, or it is another user's.
    #[error("no server runs on `{}`: {source}", .data.display())]
    NotRunning {
        /// The directory.
        data: PathBuf,
        /// Why its access cannot be read.
        source: io::Error,
    },
    /// The server refused, and says why.
    #[error("{0}")]
    Refused(String),
    /// The server failed.
    #[error("{0}")]
    Failed(String),
    /// The server cannot be reached, or its response cannot be read.
    #[error("the server cannot be called: {0}")]
    Call(#[from] reqwest::Error),
    /// An order or a response is not of the administration's form.
    #[error("the response has another form: is the server of another version? ({0})")]
    Form(String),
}

/// Reads the response to a call of the generated client.
pub(crate) async fn read<T: DeserializeOwned>(
    response: Response,
) -> Result<ResponseValue<T>, Error<ErrorEnvelope>> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(Error::ResponseBodyError)?;
    let unreadable = |error| Error::InvalidResponsePayload(body.clone(), error);
    if status.is_success() {
        let read = serde_json::from_slice(&body).map_err(unreadable)?;
        return Ok(ResponseValue::new(read, status, headers));
    }
    let envelope = serde_json::from_slice(&body).map_err(unreadable)?;
    Err(Error::ErrorResponse(ResponseValue::new(envelope, status, headers)))
}

/// What a call of the generated client returns: the body, or why there is none.
pub(crate) fn of<T>(
    response: Result<ResponseValue<T>, Error<ErrorEnvelope>>,
) -> Result<T, AdministrationError> {
    match response {
        Ok(response) => Ok(response.into_inner()),
        Err(Error::ErrorResponse(response)) => {
            let (status, envelope) = (response.status(), response.into_inner());
            let message = envelope.error.message.unwrap_or(envelope.error.code);
            Err(match status.is_server_error() {
                true => AdministrationError::Failed(message),
                false => AdministrationError::Refused(message),
            })
        }
        Err(Error::CommunicationError(error) | Error::ResponseBodyError(error)) => Err(error.into()),
        Err(Error::InvalidResponsePayload(_, error)) => Err(AdministrationError::Form(error.to_string())),
        Err(other) => Err(AdministrationError::Form(other.to_string())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // test code, helpers of tests included: a failed expectation stops the test
mod tests {
    use super::*;
    use crate::types::GrantOrder;
    use crate::{Access, Administration};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Calls a server that sends this response; what the call came to, and what the server was sent.
    async fn call(status: &str, body: &str) -> (Result<u64, AdministrationError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let length = body.len();
        let response =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                stream.read_buf(&mut request).await.unwrap();
            }
            stream.write_all(response.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        let data = tempfile::tempdir().unwrap();
        let access = Access { url, token: "a_token".to_owned().into() };
        std::fs::write(Access::path(data.path()), serde_json::to_vec(&access).unwrap()).unwrap();
        let administration = Administration::of(data.path()).unwrap();
        let shown = format!("{access:?} {administration:?}");
        assert!(shown.contains("127.0.0.1") && !shown.contains("a_token"), "{shown}");
        let order = GrantOrder { credits: 35.try_into().unwrap() };
        let granted = administration.grant_credits("a/b ?", &order).await;
        (granted.map(|granted| granted.available.ceil()), served.await.unwrap())
    }

    #[tokio::test]
    async fn a_call_says_what_it_came_to() {
        let made = r#"{"account_id": "a/b ?", "granted": 35, "available": 42, "newer": 1}"#;
        let (available, sent) = call("200 OK", made).await;
        assert_eq!(available.unwrap(), 42);
        assert!(sent.starts_with("POST /accounts/a%2Fb%20%3F/grants HTTP/1.1\r\n"), "{sent}");
        assert!(sent.contains("\r\nauthorization: Bearer a_token\r\n"), "{sent}");
        assert!(sent.ends_with(r#"{"credits":35}"#), "{sent}");

        let error = r#"{"error": {"type": "t", "code": "not_found", "message": "there is no account"}}"#;
        for (status, body, wanted) in [
            ("404 Not Found", error, "Refused(\"there is no account\")"),
            ("503 Service Unavailable", error, "Failed(\"there is no account\")"),
            ("200 OK", r#"{"granted": 35}"#, "Form(\"missing field"),
            ("404 Not Found", "<html>", "Form(\"expected value"),
        ] {
            let error = call(status, body).await.0.unwrap_err();
            assert!(format!("{error:?}").starts_with(wanted), "{status} {body}: {error:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_told_apart_from_one_that_never_ran() {
        let data = tempfile::tempdir().unwrap();
        let never = Administration::of(data.path()).unwrap_err();
        assert!(matches!(never, AdministrationError::NotRunning { .. }), "{never:?}");
        std::fs::write(Access::path(data.path()), r#"{"url": "http://127.0.0.1:1", "token": "t"}"#).unwrap();
        let gone = Administration::of(data.path()).unwrap().examine().await.unwrap_err();
        assert!(matches!(gone, AdministrationError::Call(_)), "{gone:?}");
    }
}
