//! The promises of the store about deliveries.

use super::outbox_account::{Outbox, SECRET, account, owner};
use super::{Fixture, NODE, NOW};
use crate::clock::timestamp;
use crate::{
    AccountId, AfterAttempt, AttemptClass, ClaimedDeliveries, DeliveryAttempt, DeliveryClaim, DeliveryFilter,
    DeliveryHost, DeliveryState, DueDelivery, HostRoom,
};
use clipia_queue::Moment;
use clipia_queue::rotation::{GRACE, Rotation, SECRETS_MAX};
use clipia_queue::shares::Shares;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const DEAD: &str = "https://dead.example/hook";
const WELL: &str = "https://well.example/hook";

fn host(url: &str) -> DeliveryHost {
    DeliveryHost { owner: owner(), host: url.strip_suffix("/hook").unwrap().to_owned() }
}

fn room(url: &str, room: u32, room_for_replays: u32, waiting: bool) -> HostRoom {
    HostRoom { host: host(url), room, room_for_replays, waiting }
}

/// Takes the deliveries of an outbox, and records attempts at them.
struct Sender<'h> {
    fixture: &'h Fixture,
    outbox: Outbox,
}

impl Deref for Sender<'_> {
    type Target = Outbox;

    fn deref(&self) -> &Outbox {
        &self.outbox
    }
}

impl<'h> Sender<'h> {
    async fn of(fixture: &'h Fixture) -> Self {
        Self { fixture, outbox: Outbox::new(Arc::clone(&fixture.store)).await }
    }

    async fn claim(&self, most: u32, hosts: Vec<HostRoom>, now: Moment) -> ClaimedDeliveries {
        let claim = DeliveryClaim {
            node: NODE,
            most,
            shares: Shares::new(10_000),
            most_of_host: 4,
            hosts,
            lease: Duration::from_secs(30),
            under_way: Default::default(),
        };
        self.fixture.at(now).claim_deliveries(claim).await.unwrap()
    }

    async fn many(&self, url: &str, count: usize) -> Vec<Uuid> {
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.deliver(url).await);
        }
        ids
    }

    async fn record(&self, due: &DueDelivery, class: AttemptClass, next: AfterAttempt, now: Moment) {
        let attempt = DeliveryAttempt {
            delivery: due.id,
            number: due.number,
            of_schedule: (!due.replay).then_some(due.attempts + 1),
            started: now,
            status: None,
            duration: Duration::from_millis(5),
            class,
            error: None,
            reply: String::new(),
            next,
        };
        self.fixture.at(now).record_attempt(attempt).await.unwrap();
    }
}

fn ids(claimed: &ClaimedDeliveries) -> Vec<Uuid> {
    claimed.due.iter().map(|due| due.id).collect()
}

pub async fn those_of_a_host_without_room_are_postponed_and_come_in_their_order_when_there_is_some(
    fixture: &Fixture,
) {
    let outbox = Sender::of(fixture).await;
    let dead = outbox.many(DEAD, 100).await;
    let well = outbox.many(WELL, 3).await;
    let claimed = outbox.claim(50, vec![room(DEAD, 0, 0, false)], NOW).await;
    assert_eq!((ids(&claimed), claimed.postponed, claimed.more), (well, vec![host(DEAD)], false));
    assert!(outbox.details(dead[0]).await.delivery.postponed);
    assert_eq!(outbox.store.next_delivery().await.unwrap(), None, "they are not waited for by the clock");

    let claimed = outbox.claim(50, vec![room(DEAD, 1, 1, true)], NOW).await;
    assert_eq!((ids(&claimed), claimed.cleared), (dead[..1].to_vec(), vec![]));
    let claimed = outbox.claim(200, vec![room(DEAD, 150, 150, true)], NOW).await;
    assert_eq!((ids(&claimed), claimed.cleared), (dead[1..].to_vec(), vec![host(DEAD)]));
}

pub async fn a_host_that_nobody_spoke_of_gets_no_more_than_its_share(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let dead = outbox.many(DEAD, 10).await;
    let claimed = outbox.claim(50, vec![], NOW).await;
    assert_eq!((ids(&claimed), claimed.postponed), (dead[..4].to_vec(), vec![host(DEAD)]));
    // One that ended since does not overtake those that wait.
    outbox.deliver(DEAD).await;
    let claimed = outbox.claim(50, vec![room(DEAD, 2, 2, true)], NOW).await;
    assert_eq!(ids(&claimed), dead[4..6].to_vec());
}

pub async fn neither_those_that_waited_nor_the_new_take_every_place(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let waited = outbox.many(DEAD, 10).await;
    outbox.claim(50, vec![room(DEAD, 0, 0, false)], NOW).await;
    let new = outbox.many(WELL, 10).await;
    let claimed = outbox.claim(6, vec![room(DEAD, 10, 10, true)], NOW).await;
    assert_eq!(ids(&claimed), [&waited[..3], &new[..3]].concat());
    assert!(claimed.more);
}

pub async fn an_owner_gets_no_more_than_its_share_however_many_hosts_it_names(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let quiet = AccountId("acct_quiet".to_owned());
    outbox.join(quiet.clone(), 8).await;
    let mut noisy = Vec::new();
    for number in 0..20 {
        noisy.push(outbox.deliver(&format!("https://{number}.example/hook")).await);
    }
    let quiet = outbox.deliver_for(quiet, WELL).await;
    let claim = |shares, hosts| DeliveryClaim {
        node: NODE,
        most: 64,
        shares,
        most_of_host: 4,
        hosts,
        lease: Duration::from_secs(30),
        under_way: Default::default(),
    };
    let mut shares = Shares::new(64);
    let claimed = outbox.store.claim_deliveries(claim(shares.clone(), vec![])).await.unwrap();
    let (share, postponed) = noisy.split_at(7);
    assert_eq!(ids(&claimed), [share, &[quiet]].concat());
    assert_eq!((claimed.postponed.len(), claimed.more), (13, false));
    for due in &claimed.due {
        shares.take(due.host.owner.clone());
    }
    // As long as the share is in use its hosts need not be named, and wait. With room for one, the host that is first in
    // the list is served.
    let none = outbox.store.claim_deliveries(claim(shares.clone(), vec![])).await.unwrap();
    assert!(none.due.is_empty(), "{none:?}");
    shares.give_back(&owner());
    let hosts = claimed.postponed.into_iter().rev();
    let hosts = hosts.map(|host| HostRoom { host, room: 4, room_for_replays: 4, waiting: true }).collect();
    let claimed = outbox.store.claim_deliveries(claim(shares, hosts)).await.unwrap();
    assert_eq!(ids(&claimed), postponed[postponed.len() - 1..]);
}

pub async fn only_what_an_operator_asked_for_goes_to_a_host_that_is_down(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let dead = outbox.many(DEAD, 3).await;
    let down = |waiting| vec![room(DEAD, 0, 1, waiting)];
    assert!(outbox.claim(50, down(false), NOW).await.due.is_empty());
    for id in &dead[1..] {
        assert!(outbox.store.replay(*id).await.unwrap());
    }
    assert_eq!(ids(&outbox.claim(50, down(true), NOW).await), [dead[1]]);
    assert!(outbox.claim(50, vec![room(DEAD, 0, 0, true)], NOW).await.due.is_empty());
    assert_eq!(ids(&outbox.claim(50, down(true), NOW).await), [dead[2]]);
    assert!(!outbox.store.replay(Uuid::nil()).await.unwrap());
}

pub async fn a_replay_leaves_the_schedule_alone(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let id = outbox.deliver(WELL).await;
    let start = NOW;
    let later = start + Duration::from_secs(30);
    let first = outbox.claim(1, vec![], start).await.due.remove(0);
    outbox.record(&first, AttemptClass::Reset, AfterAttempt::Retry(later), start).await;
    outbox.store.replay(id).await.unwrap();
    let replay = outbox.claim(1, vec![], start).await.due.remove(0);
    assert_eq!((replay.replay, replay.number, replay.attempts), (true, 2, 1));
    outbox.record(&replay, AttemptClass::Reset, AfterAttempt::AsScheduled, start).await;
    let details = outbox.details(id).await.delivery;
    assert_eq!(
        (details.state, details.attempts, details.next_at),
        (DeliveryState::Pending, 1, Some(timestamp(later)))
    );
    assert!(outbox.claim(1, vec![], start).await.due.is_empty());
    let second = outbox.claim(1, vec![], later).await.due.remove(0);
    assert_eq!((second.replay, second.number, second.attempts), (false, 3, 1));
    // Asked for while an attempt is under way: it comes after that.
    fixture.at(later + Duration::from_secs(1)).replay(id).await.unwrap();
    outbox.record(&second, AttemptClass::Reset, AfterAttempt::GiveUp, later).await;
    let third = outbox.claim(1, vec![], later + Duration::from_secs(1)).await.due.remove(0);
    assert_eq!((third.replay, third.number), (true, 4));
}

pub async fn an_overtaken_sender_changes_nothing_unless_it_arrived(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let id = outbox.deliver(WELL).await;
    let start = NOW;
    let slow = outbox.claim(1, vec![], start).await.due.remove(0);
    let start = start + Duration::from_secs(31);
    let quick = outbox.claim(1, vec![], start).await.due.remove(0);
    let retry = start + Duration::from_secs(5);
    outbox.record(&quick, AttemptClass::Timeout, AfterAttempt::Retry(retry), start).await;
    outbox.record(&slow, AttemptClass::Timeout, AfterAttempt::Retry(start), start).await;
    let details = outbox.details(id).await;
    assert_eq!((details.delivery.next_at, details.log.len()), (Some(timestamp(retry)), 1));
    outbox.record(&slow, AttemptClass::Delivered, AfterAttempt::Delivered, start).await;
    assert_eq!(outbox.details(id).await.delivery.state, DeliveryState::Delivered);
}

pub async fn all_that_failed_since_a_time_are_replayed_a_bounded_number_at_a_time(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let failed = outbox.many(WELL, 5).await;
    let start = NOW;
    let mut at = start;
    for due in outbox.claim(50, vec![room(WELL, 50, 50, false)], start).await.due {
        outbox.record(&due, AttemptClass::Status4xx, AfterAttempt::GiveUp, at).await;
        at = at + Duration::from_secs(60);
    }
    let arrived = outbox.deliver(WELL).await;
    let due = outbox.claim(1, vec![], at).await.due.remove(0);
    outbox.record(&due, AttemptClass::Delivered, AfterAttempt::Delivered, at).await;

    let since = start + Duration::from_secs(60);
    let first = fixture.at(at).replay_failed(since, 3).await.unwrap();
    assert_eq!((first.count, first.next), (3, Some(timestamp(start + Duration::from_secs(240)))));
    let second = fixture.at(at).replay_failed(since, 3).await.unwrap();
    assert_eq!((second.count, second.next), (1, None));
    let again = outbox.claim(50, vec![room(WELL, 50, 50, false)], at).await;
    assert!(again.due.iter().all(|due| due.replay && due.id != arrived));
    assert_eq!(ids(&again).len(), 4);
    assert!(!ids(&again).contains(&failed[0]));
}

pub async fn those_that_wait_for_a_host_for_days_are_given_up(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let dead = outbox.deliver(DEAD).await;
    let well = outbox.deliver(WELL).await;
    outbox.claim(50, vec![room(DEAD, 0, 0, false)], NOW).await;
    assert_eq!(outbox.store.give_up_deliveries(Duration::from_secs(60)).await.unwrap(), 0);
    assert_eq!(
        fixture.at(NOW + Duration::from_secs(120)).give_up_deliveries(Duration::from_secs(60)).await.unwrap(),
        1
    );
    let details = outbox.details(dead).await.delivery;
    assert_eq!((details.state, details.postponed, details.attempts), (DeliveryState::Abandoned, false, 0));
    assert_eq!(outbox.details(well).await.delivery.state, DeliveryState::Pending);
}

pub async fn deliveries_are_listed_page_by_page_the_newest_first(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let mut made = outbox.many("https://well.example/hook?key=hidden", 5).await;
    made.reverse();
    let list = async |filter: DeliveryFilter, before| {
        let listed = outbox.store.list_deliveries(filter, before, 2).await.unwrap();
        listed.into_iter().map(|delivery| (delivery.id, delivery.url)).unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let (first, urls) = list(DeliveryFilter::default(), None).await;
    assert_eq!((first.as_slice(), urls[0].as_str()), (&made[..2], WELL));
    assert_eq!(list(DeliveryFilter::default(), Some(made[3])).await.0, made[4..]);
    let of = |account: &str| DeliveryFilter {
        account: Some(AccountId(account.to_owned())),
        state: Some(DeliveryState::Pending),
        ..Default::default()
    };
    assert_eq!(list(of("acct_outbox"), None).await.0, made[..2]);
    assert!(list(of("acct_other"), None).await.0.is_empty());
    let delivered = DeliveryFilter { state: Some(DeliveryState::Delivered), ..Default::default() };
    assert!(list(delivered, None).await.0.is_empty());
}

pub async fn an_old_secret_signs_for_a_day_and_stands_last(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let start = NOW;
    let secrets = async |later| {
        outbox.deliver(WELL).await;
        let at = NOW + later;
        let due = outbox.claim(1, vec![], at).await.due.remove(0);
        assert!(!format!("{due:?}").contains("whsec"), "{due:?}");
        outbox.record(&due, AttemptClass::Delivered, AfterAttempt::Delivered, at).await;
        due.secrets
    };
    assert_eq!(secrets(Duration::ZERO).await, [SECRET]);
    let rotate = async |new: &str, at| {
        let rotation = Rotation::plan(None, None, at).unwrap();
        assert!(fixture.at(at).rotate_webhook_secret(&account(), new.to_owned(), rotation).await.unwrap());
    };
    rotate("whsec_2", start).await;
    assert_eq!(secrets(Duration::ZERO).await, ["whsec_2", SECRET]);
    rotate("whsec_3", start).await;
    assert_eq!(secrets(Duration::ZERO).await, ["whsec_3", "whsec_2", SECRET]);
    let next_day = start + GRACE;
    assert_eq!(secrets(GRACE).await, ["whsec_3"]);
    for number in 4..20 {
        rotate(&format!("whsec_{number}"), next_day).await;
    }
    let kept = secrets(GRACE).await;
    assert_eq!((kept.len(), kept[0].as_str()), (SECRETS_MAX as usize, "whsec_19"));
    let nobody = AccountId("acct_nobody".to_owned());
    let rotation = Rotation::plan(None, None, start).unwrap();
    assert!(!outbox.store.rotate_webhook_secret(&nobody, "s".to_owned(), rotation).await.unwrap());
    assert!(outbox.store.webhook_secrets(&nobody).await.unwrap().is_empty());
}

pub async fn the_operator_chooses_when_the_new_secret_comes_last_and_the_old_one_ends(fixture: &Fixture) {
    let outbox = Sender::of(fixture).await;
    let start = NOW;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let secrets = async |later| {
        outbox.deliver(WELL).await;
        let at = start + later;
        let due = outbox.claim(1, vec![], at).await.due.remove(0);
        outbox.record(&due, AttemptClass::Delivered, AfterAttempt::Delivered, at).await;
        due.secrets
    };
    let alone = Rotation::plan(None, None, start).unwrap();
    assert!(!outbox.store.replan_rotation(&account(), alone).await.unwrap(), "there is no rotation");
    let rotation = Rotation::plan(Some(hours(2)), Some(hours(4)), start).unwrap();
    outbox.store.rotate_webhook_secret(&account(), "whsec_2".to_owned(), rotation).await.unwrap();
    for (at, order) in [(1, &["whsec_2", SECRET][..]), (2, &[SECRET, "whsec_2"]), (4, &["whsec_2"])] {
        assert_eq!(secrets(hours(at)).await, order, "{at}");
    }
    let later = Rotation::plan(Some(hours(9)), Some(hours(10)), start).unwrap();
    assert!(fixture.at(start + hours(3)).replan_rotation(&account(), later).await.unwrap());
    for (at, order) in [(8, &["whsec_2", SECRET][..]), (9, &[SECRET, "whsec_2"]), (10, &["whsec_2"])] {
        assert_eq!(secrets(hours(at)).await, order, "{at}");
    }
    let ended = fixture.at(start + hours(11)).replan_rotation(&account(), later).await.unwrap();
    assert!(!ended, "what has ended stays ended");
}
