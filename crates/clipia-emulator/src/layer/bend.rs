//! What a fault makes of a call.

use super::body::Received;
use super::refused;
use crate::Fault;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::{Html, IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::{StatusCode, header};
use std::io;

/// The page of a proxy that does not reach its server.
const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n\
                    <hr><center>proxy</center>\r\n</body>\r\n</html>\r\n";

/// What a caller gets.
pub(super) enum Bent {
    /// A response.
    Response(Received),
    /// The end of the connection.
    Reset,
    /// Nothing.
    Hang,
}

/// What a caller gets of a fault that keeps its call from the server; none of a fault of the way back.
pub(super) fn before(fault: &Fault) -> Option<Bent> {
    let response = match fault {
        Fault::Refuse { refusal, retry_after } => {
            let why = format!("the emulator refused this call: its fault is `{fault}`");
            refused(*refusal, *retry_after, why)
        }
        Fault::Html => (StatusCode::BAD_GATEWAY, Html(PAGE)).into_response(),
        Fault::Reset => return Some(Bent::Reset),
        Fault::Hang => return Some(Bent::Hang),
        Fault::Slow(_) | Fault::Drop | Fault::Empty | Fault::Cut(_) => return None,
    };
    Some(Bent::Response(Received::made(response, fault)))
}

/// What a caller gets of the server's response.
pub(super) fn after(fault: &Fault, mut response: Received) -> Bent {
    match fault {
        Fault::Drop => return Bent::Reset,
        Fault::Empty => {
            response.body = Body::empty();
            response.parts.headers.remove(header::CONTENT_LENGTH);
        }
        Fault::Cut(bytes) => response = cut(response, *bytes),
        _ => {}
    }
    response.mark(&fault.to_string());
    Bent::Response(response)
}

/// The response, whose body ends after so many bytes although more were announced.
fn cut(response: Received, bytes: u64) -> Received {
    let Received { mut parts, body, json } = response;
    let whole = body.size_hint().exact();
    // A body that is shorter loses its last byte.
    let left = whole.map_or(bytes, |whole| bytes.min(whole.saturating_sub(1)));
    if let Some(whole) = whole {
        parts.headers.insert(header::CONTENT_LENGTH, whole.into());
    }
    let chunks = body.into_data_stream().map(|chunk| chunk.map_err(io::Error::other));
    let kept = chunks.scan(left, |left, chunk| {
        let kept = chunk.map(|chunk| {
            let end = chunk.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= end as u64;
            chunk.slice(..end)
        });
        let is_end = matches!(&kept, Ok(kept) if kept.is_empty());
        std::future::ready((!is_end).then_some(kept))
    });
    let end = stream::once(async {
        // What was kept is sent before the connection ends.
        tokio::task::yield_now().await;
        Err::<Bytes, _>(io::Error::other("the emulator cut this body"))
    });
    Received { parts, body: Body::from_stream(kept.chain(end)), json }
}

impl Received {
    /// A response that a fault has made.
    fn made(response: Response, fault: &Fault) -> Self {
        let (parts, body) = response.into_parts();
        let code = match fault {
            Fault::Refuse { refusal, .. } => Some(refusal.code().code()),
            _ => None,
        };
        let json = code.map(|code| serde_json::json!({"error": {"code": code}}));
        Self { parts, body, json }
    }
}
