//! The receiver of the deliveries. It verifies each delivery, refuses some, and may hold a response back.

use super::books::Books;
use super::trouble::CLOCKS;
use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clipia_webhook::{ID_HEADER, SIGNATURE_HEADER, Verifier};
use rand::RngExt;
use rand::rngs::StdRng;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The share of verified deliveries that a receiver refuses, unless it is to refuse none.
pub(super) const REFUSED: f64 = 0.02;

/// How long a response is held back, so that the server is killed before it arrives.
const HELD: Duration = Duration::from_secs(5);

/// A receiver that listens as long as the runtime runs.
pub(super) struct Receiver {
    pub(super) url: String,
    state: Arc<Receiving>,
}

struct Receiving {
    verifier: Verifier,
    books: Arc<Books>,
    /// The share of verified deliveries that it refuses.
    refused: f64,
    random: Mutex<StdRng>,
    trap: Mutex<Option<Trap>>,
}

/// The number of deliveries until the trap springs, and the channel that it reports to.
struct Trap(u64, oneshot::Sender<()>);

impl Receiver {
    pub(super) async fn listen(
        secret: &str,
        books: Arc<Books>,
        random: StdRng,
        refused: f64,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/clipia", listener.local_addr()?);
        let verifier = Verifier::new([secret])?;
        let state = Arc::new(Receiving {
            verifier,
            books,
            refused,
            random: Mutex::new(random),
            trap: Mutex::default(),
        });
        let router = Router::new().route("/clipia", post(receive)).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, state })
    }

    /// Reports the arrival of the next delivery but `skipped`, whose response is then held back.
    pub(super) fn trap(&self, skipped: u64) -> oneshot::Receiver<()> {
        let (sender, sprung) = oneshot::channel();
        *self.state.trap.lock().unwrap_or_else(PoisonError::into_inner) = Some(Trap(skipped, sender));
        sprung
    }
}

async fn receive(State(state): State<Arc<Receiving>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // The server signs with the time of its clock, which may have been set.
    let verify = |set| state.verifier.verify(text(SIGNATURE_HEADER), &body, now.saturating_add_signed(set));
    let refusals: Vec<_> = CLOCKS.into_iter().map_while(|set| verify(set).err()).collect();
    if refusals.len() == CLOCKS.len()
        && let Some(refusal) = refusals.first()
    {
        state.books.violation(format!("a delivery has a wrong signature: {refusal}"));
        return StatusCode::BAD_REQUEST;
    }
    if state.random.lock().unwrap_or_else(PoisonError::into_inner).random_bool(state.refused) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let delivery = text(ID_HEADER).to_owned();
    let parsed = serde_json::from_slice(&body).unwrap_or_default();
    state.books.with(|seen| seen.delivered(delivery, &parsed));
    if state.springs() {
        tokio::time::sleep(HELD).await;
    }
    StatusCode::OK
}

impl Receiving {
    /// Whether the server is to be killed at this delivery.
    fn springs(&self) -> bool {
        let mut trap = self.trap.lock().unwrap_or_else(PoisonError::into_inner);
        match trap.take() {
            Some(Trap(0, sender)) => sender.send(()).is_ok(),
            Some(Trap(left, sender)) => {
                *trap = Some(Trap(left - 1, sender));
                false
            }
            None => false,
        }
    }
}
