//! The outbox of random sequences: senders take what is due and record attempts, hosts go down and come back, operators replay,
//! and what has waited for long is given up.

use super::Both;
use crate::conformance::NODE;
use crate::conformance::reference::Due;
use crate::living::Living;
use crate::{
    AfterAttempt, AttemptClass, DeliveryAttempt, DeliveryClaim, DeliveryFilter, DeliveryHost, DueDelivery,
    HostRoom, Reply,
};
use clipia_queue::Moment;
use clipia_queue::shares::Shares;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(30);

/// More than a sequence makes: what a room leaves out would depend on the order of deliveries that are due at one moment.
const MANY: u32 = 1_000;

/// Where the requests of a sequence want their deliveries.
pub(super) const HOSTS: [&str; 2] = ["https://one.example/hook", "https://other.example/hook"];

/// What the senders know.
#[derive(Default)]
pub(super) struct Senders {
    /// Deliveries that a sender has, and since when.
    taken: Vec<(Due, Uuid, Moment)>,
    /// Hosts of which deliveries were postponed.
    waiting: HashSet<DeliveryHost>,
    /// Hosts that were called, and that may be down.
    known: HashSet<DeliveryHost>,
}

impl Both<'_> {
    /// One command of the outbox, to both stores.
    pub(super) async fn deliver(&mut self) -> String {
        let (at, store) = (self.now(), Arc::clone(&self.fixture.store));
        match self.below(8) {
            0 => self.replay().await,
            1 => {
                let since = at - Duration::from_secs(60 * u64::try_from(self.below(90)).unwrap());
                let replayed = store.replay_failed(since, MANY).await.unwrap();
                assert_eq!((replayed.count, replayed.next), (self.reference.replay_failed(since, at), None));
                format!("{} of {since:?} replayed", replayed.count)
            }
            2 => {
                let age = Duration::from_secs(30 * 60);
                let given_up = store.give_up_deliveries(age).await.unwrap();
                assert_eq!(given_up, self.reference.give_up(at - age, at));
                format!("{given_up} given up")
            }
            3 => {
                let resumes = self.below(2) == 0;
                let ended = match resumes {
                    true => store.resume_deliveries(MANY).await.unwrap(),
                    false => store.abandon_deliveries(MANY).await.unwrap(),
                };
                assert_eq!(ended, self.reference.end_hold(resumes, at));
                format!("{ended} held no longer")
            }
            4 | 5 => self.record().await,
            _ => self.take().await,
        }
    }

    async fn replay(&mut self) -> String {
        let at = self.now();
        let requests = self.reference.seen();
        if requests.is_empty() {
            return "nothing to replay".to_owned();
        }
        let request = requests[self.below(requests.len())].id;
        let filter = DeliveryFilter { request: Some(request), ..Default::default() };
        let delivery = self.fixture.store.list_deliveries(filter, None, 1).await.unwrap().pop();
        let id = delivery.map_or(Uuid::nil(), |delivery| delivery.id);
        let replayed = self.fixture.store.replay(id).await.unwrap();
        assert_eq!(replayed, self.reference.replay(request, at), "{request}");
        format!("replay {request}: {replayed}")
    }

    /// Senders record the attempts at what they have. Some of them are overtaken.
    async fn record(&mut self) -> String {
        let at = self.now();
        let taken = std::mem::take(&mut self.senders.taken);
        let count = taken.len();
        for (due, delivery, started) in taken {
            let reply = match self.below(5) {
                0 => Reply::Accepted,
                1 => Reply::Gone,
                _ => Reply::Other { retry_after: None },
            };
            let of_schedule = (!due.replay).then_some(due.attempts + 1);
            let next = AfterAttempt::decide(of_schedule, reply, 0.5, at);
            let attempt = DeliveryAttempt {
                delivery,
                number: due.number,
                of_schedule,
                started,
                status: Some(500),
                duration: Duration::ZERO,
                class: AttemptClass::Status5xx,
                error: None,
                reply: String::new(),
                next,
            };
            self.fixture.store.record_attempt(attempt).await.unwrap();
            self.reference.record(due, started, next, at);
        }
        format!("{count} attempts")
    }

    /// Senders take what is due. A host is up, or down, or takes what operators asked for.
    async fn take(&mut self) -> String {
        let at = self.now();
        let mut hosts = Vec::new();
        for host in self.senders.known.clone() {
            let (room, room_for_replays) = [(MANY, MANY), (MANY, MANY), (0, MANY), (0, 0)][self.below(4)];
            let waiting = self.senders.waiting.contains(&host);
            hosts.push(HostRoom { host, room, room_for_replays, waiting });
        }
        let claim = DeliveryClaim {
            node: NODE,
            most: MANY,
            shares: Shares::new(100_000),
            most_of_host: MANY,
            hosts,
            lease: LEASE,
            under_way: Living::default(),
        };
        let (mut known, left) = self.reference.claim_deliveries(&claim, at);
        let claimed = self.fixture.store.claim_deliveries(claim).await.unwrap();
        let due = |of: &DueDelivery| Due {
            request: of.request,
            number: of.number,
            attempts: of.attempts,
            replay: of.replay,
        };
        let mut stored: Vec<Due> = claimed.due.iter().map(due).collect();
        stored.sort();
        known.sort();
        assert_eq!(stored, known);
        let set = |hosts: Vec<DeliveryHost>| hosts.into_iter().collect::<HashSet<_>>();
        let (postponed, cleared) = (set(claimed.postponed), set(claimed.cleared));
        assert_eq!((&postponed, &cleared), (&set(left.postponed), &set(left.cleared)));
        let senders = &mut self.senders;
        senders.known.extend(claimed.due.iter().map(|due| due.host.clone()));
        senders.waiting.retain(|host| !cleared.contains(host));
        senders.waiting.extend(postponed);
        senders.taken.extend(claimed.due.iter().map(|of| (due(of), of.id, at)));
        format!("{} deliveries taken", known.len())
    }

    /// Both say the same of what is to be delivered.
    pub(super) async fn outboxes_agree(&self, when: &str) {
        let store = &self.fixture.store;
        assert_eq!(store.next_delivery().await.unwrap(), self.reference.next_delivery(), "{when}");
        let hosts: HashSet<_> = store.postponed_hosts().await.unwrap().into_iter().collect();
        assert_eq!(hosts, self.reference.postponed_hosts(), "{when}");
    }
}
