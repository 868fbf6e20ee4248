//! A receiver of webhooks that records deliveries and responds with given statuses.

use super::DEADLINE;
use axum::Router;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A receiver on a free loopback port. It listens until it is dropped.
pub(crate) struct Receiver {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// A delivery as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

struct Shared {
    arrived: watch::Sender<Vec<Delivery>>,
    /// The statuses of the next responses; 200 when it is empty.
    responses: Mutex<VecDeque<StatusCode>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/clipia", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { arrived: watch::Sender::default(), responses: Mutex::default() });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self { url, shared, serving }
    }

    /// The URL to use as `webhook_url`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Responds to the next deliveries with these statuses, in this order, and then with 200.
    pub(crate) fn respond_with(&self, statuses: impl IntoIterator<Item = u16>) {
        let statuses = statuses.into_iter().map(|status| StatusCode::from_u16(status).unwrap());
        self.shared.responses.lock().unwrap().extend(statuses);
    }

    /// Waits for `count` deliveries, and returns all so far.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        let mut arrived = self.shared.arrived.subscribe();
        let enough = timeout(DEADLINE, arrived.wait_for(|deliveries| deliveries.len() >= count)).await;
        match enough {
            Ok(deliveries) => deliveries.unwrap().clone(),
            Err(_) => panic!("{} of {count} deliveries arrived", self.shared.arrived.borrow().len()),
        }
    }

    /// Waits for a delivery whose body `wanted` accepts, and returns the first.
    pub(crate) async fn wait_until(&self, wanted: impl Fn(&Value) -> bool) -> Delivery {
        let mut count = 1;
        loop {
            let arrived = self.wait_for(count).await;
            let of_interest =
                |delivery: &&Delivery| serde_json::from_slice(&delivery.body).is_ok_and(|body| wanted(&body));
            if let Some(found) = arrived.iter().find(of_interest) {
                return found.clone();
            }
            count = arrived.len() + 1;
        }
    }
}

impl Delivery {
    /// The value of a header, which must be present and text.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no `{name}` in {self:?}")).to_str().unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let response = shared.responses.lock().unwrap().pop_front().unwrap_or(StatusCode::OK);
    shared.arrived.send_modify(|deliveries| deliveries.push(Delivery { headers, body }));
    response
}

#[tokio::test]
async fn records_deliveries_and_responds_with_the_given_statuses() {
    let receiver = Receiver::start().await;
    receiver.respond_with([500, 204]);
    let (base, path) = receiver.url().split_at(receiver.url().rfind('/').unwrap());
    let sender = super::Raw::new(base).header("x-clipia-timestamp", "7");
    for (number, status) in [500, 204, 200].into_iter().enumerate() {
        sender.post(path, &number.into()).await.expect(status);
    }
    let bodies: Vec<Bytes> = receiver.wait_for(3).await.into_iter().map(|delivery| delivery.body).collect();
    assert_eq!(bodies, ["0", "1", "2"]);
    assert_eq!(receiver.wait_for(1).await[0].header("x-clipia-timestamp"), "7");
}
