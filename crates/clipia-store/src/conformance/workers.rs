use super::{Fixture, NODE, NOW, fox};
use crate::living::LivingAttempts;
use crate::{
    AboutSession, Claim, Holder, KeyHash, NewWorker, RemoteWorker, SessionSeen, StoreEvent, WorkRefused,
    WorkerRefused, WorkerSession,
};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::leases::{AttemptEnd, HEARTBEAT, RESCUES_MAX, SILENCE_MAX};
use clipia_queue::lifecycle::{Epoch, Phase, Refused};
use clipia_queue::retention::{Keep, Part, Retention};
use clipia_queue::workers::{SESSION_KEPT, SESSIONS_MAX};
use std::time::Duration;
use uuid::Uuid;

/// A worker for the queue of [`fox`].
pub fn worker(name: &str, hash: u8) -> NewWorker {
    NewWorker {
        name: name.to_owned(),
        hash: KeyHash([hash; 32]),
        hint: "clipia_worker_…abcd".to_owned(),
        executors: vec!["render".to_owned()],
    }
}

pub fn session(worker: &str, number: u128) -> WorkerSession {
    WorkerSession { worker: worker.to_owned(), session: Uuid::from_u128(number) }
}

/// What a session says of itself.
pub fn seen(session: &WorkerSession) -> SessionSeen {
    let about = AboutSession {
        executor: "render".to_owned(),
        host: "box".to_owned(),
        gpu: Some("H100".to_owned()),
        version: "1.2.3".to_owned(),
        slots: 2,
    };
    SessionSeen { session: session.clone(), about }
}

/// The first requests, claimed by a session.
async fn claim(fixture: &Fixture, by: &WorkerSession, limit: usize) -> Vec<Claim> {
    let holder = Holder { node: NODE, session: Some(by.clone()) };
    fixture.store.claim_past("render", holder, limit, Vec::new()).await.unwrap().claims
}

/// What the store tells again of the leases of a session.
async fn told(fixture: &Fixture, of: &WorkerSession) -> Vec<(RequestId, Epoch)> {
    let claims = fixture.store.claims_of(of).await.unwrap();
    claims.iter().map(|claim| (claim.id, claim.epoch)).collect()
}

/// Whose attempt it is, and how it ended.
async fn held(fixture: &Fixture, of: (RequestId, Epoch)) -> Option<(WorkerSession, Option<AttemptEnd>)> {
    let held = fixture.store.attempt_of_session(of.0, of.1).await.unwrap()?;
    assert_eq!(held.claim.map(|claim| (claim.id, claim.epoch)), held.ended.is_none().then_some(of));
    Some((held.session, held.ended))
}

pub async fn a_worker_is_known_by_its_token_until_it_is_revoked(fixture: &Fixture) {
    let store = &fixture.store;
    let token = KeyHash([1; 32]);
    assert!(!store.has_workers().await.unwrap());
    store.create_worker(worker("box", 1)).await.unwrap();
    store.create_worker(worker("another", 2)).await.unwrap();
    assert!(store.has_workers().await.unwrap());
    let known = RemoteWorker { name: "box".to_owned(), executors: vec!["render".to_owned()], quiet: false };
    assert_eq!(store.worker(&token).await.unwrap(), Some(known));
    assert_eq!(store.worker(&KeyHash([3; 32])).await.unwrap(), None);
    assert_eq!(store.revoke_worker("box").await.unwrap(), Some(0));
    assert_eq!(store.worker(&token).await.unwrap(), None);
    assert_eq!(store.revoke_worker("box").await.unwrap(), None);
    assert!(!store.set_quiet("box", true).await.unwrap() && !store.set_quiet("nobody", true).await.unwrap());
    // Attempts are told by the name, so that nobody else gets it.
    let taken = store.create_worker(worker("box", 3)).await.unwrap_err();
    assert!(matches!(&taken, WorkerRefused::NameTaken(name) if name == "box"), "{taken}");
    assert_eq!(store.worker(&KeyHash([3; 32])).await.unwrap(), None);
    let listed = store.workers().await.unwrap();
    let names: Vec<_> = listed.iter().map(|of| (of.name.as_str(), of.revoked_at.is_some())).collect();
    assert_eq!(names, [("another", false), ("box", true)]);
    assert!(store.has_workers().await.unwrap());
    let acts = store.audit(None, 3).await.unwrap();
    let acts: Vec<_> = acts.iter().map(|of| (of.act.as_str(), of.subject.as_str())).collect();
    assert_eq!(acts, [("worker revoked", "box"), ("worker created", "another"), ("worker created", "box")]);
}

pub async fn what_a_session_holds_is_told_again(fixture: &Fixture) {
    let store = &fixture.store;
    store.create_worker(worker("box", 1)).await.unwrap();
    let (one, other) = (session("box", 1), session("box", 2));
    for _ in 0..4 {
        fixture.submit(fox()).await;
    }
    let claims = claim(fixture, &one, 2).await;
    let [first, second] = [0, 1].map(|n: usize| (claims[n].id, claims[n].epoch));
    let third = claim(fixture, &other, 1).await.pop().map(|claim| (claim.id, claim.epoch)).unwrap();
    let own = fixture.claim().await;
    assert_eq!(told(fixture, &one).await, [first, second]);
    assert_eq!(told(fixture, &other).await, [third]);
    assert_eq!(told(fixture, &session("another", 1)).await, []);
    let again = store.claims_of(&one).await.unwrap().remove(0);
    assert_eq!(format!("{again:?}"), format!("{:?}", claims[0]));
    assert_eq!(held(fixture, first).await, Some((one.clone(), None)));
    assert_eq!(held(fixture, third).await, Some((other.clone(), None)));
    assert_eq!(held(fixture, (own.id, own.epoch)).await, None, "a worker of the process has it");
    assert_eq!(held(fixture, (first.0, Epoch(9))).await, None);

    store.complete(first.0, first.1, Output::default()).await.unwrap();
    store.release(second.0, second.1).await.unwrap();
    assert_eq!(told(fixture, &one).await, []);
    let next = claim(fixture, &other, 1).await.pop().map(|claim| (claim.id, claim.epoch)).unwrap();
    assert_eq!((next.0, told(fixture, &other).await), (second.0, vec![next, third]));
    assert_eq!(held(fixture, first).await, Some((one.clone(), Some(AttemptEnd::Completed))));
    assert_eq!(held(fixture, second).await, Some((one, Some(AttemptEnd::Released))));
    assert_eq!(held(fixture, next).await, Some((other.clone(), None)));
    store.cancel(third.0).await.unwrap();
    assert_eq!(held(fixture, third).await, Some((other, Some(AttemptEnd::Canceled))));
}

pub async fn the_history_of_a_request_names_the_worker_of_each_attempt(fixture: &Fixture) {
    let store = &fixture.store;
    store.create_worker(worker("box", 1)).await.unwrap();
    let id = fixture.submit(fox()).await;
    let workers = async || {
        let attempts = store.request_history(id).await.unwrap().unwrap().attempts;
        attempts.into_iter().map(|attempt| attempt.worker).collect::<Vec<_>>()
    };
    let elsewhere = Some("box".to_owned());
    let first = claim(fixture, &session("box", 1), 1).await.remove(0);
    assert_eq!(workers().await, std::slice::from_ref(&elsewhere), "while it runs");
    store.release(id, first.epoch).await.unwrap();
    let own = fixture.claim().await;
    assert_eq!(workers().await, [elsewhere.clone(), None]);
    store.complete(id, own.epoch, Output::default()).await.unwrap();
    store.revoke_worker("box").await.unwrap();
    assert_eq!(workers().await, [elsewhere, None], "a revoked worker keeps its name");
}

pub async fn revoking_a_worker_takes_back_what_its_sessions_have(fixture: &Fixture) {
    let store = &fixture.store;
    store.create_worker(worker("box", 1)).await.unwrap();
    store.create_worker(worker("another", 2)).await.unwrap();
    for _ in 0..4 {
        fixture.submit(fox()).await;
    }
    let mine = [
        claim(fixture, &session("box", 1), 1).await.remove(0),
        claim(fixture, &session("box", 2), 1).await.remove(0),
    ];
    let others = claim(fixture, &session("another", 1), 1).await.remove(0);
    let own = fixture.claim().await;
    let mut events = store.events();
    assert_eq!(store.revoke_worker("box").await.unwrap(), Some(2));
    let submitted = StoreEvent::WorkSubmitted { queue: "render".into() };
    assert!(std::iter::from_fn(|| events.try_recv().ok()).any(|event| event == submitted));
    for (position, Claim { id, epoch, .. }) in (0..).zip(&mine) {
        let request = fixture.request(*id).await;
        assert_eq!((request.phase, request.position), (Phase::Queued, position));
        let late = store.complete(*id, *epoch, Output::default()).await;
        assert!(matches!(late, Err(WorkRefused::Lifecycle(Refused::Stale { .. }))), "{late:?}");
        assert_eq!(held(fixture, (*id, *epoch)).await.unwrap().1, Some(AttemptEnd::Lost));
    }
    for kept in [&others, &own] {
        store.complete(kept.id, kept.epoch, Output::default()).await.unwrap();
    }
    // A call that was admitted before finds nothing.
    assert!(claim(fixture, &session("box", 1), 9).await.is_empty());
    assert_eq!(store.statistics().await.unwrap().leases_lost, 2);
    // Revoking spends an attempt, as a lost lease does: after the last one the request fails.
    for n in 1..RESCUES_MAX {
        let name = format!("box-{n}");
        store.create_worker(worker(&name, 10 + n as u8)).await.unwrap();
        assert_eq!(claim(fixture, &session(&name, 1), 1).await[0].id, mine[0].id);
        assert_eq!(store.revoke_worker(&name).await.unwrap(), Some(1));
    }
    assert_eq!(fixture.request(mine[0].id).await.phase, Phase::Queued);
    store.create_worker(worker("last", 9)).await.unwrap();
    claim(fixture, &session("last", 1), 1).await;
    assert_eq!(store.revoke_worker("last").await.unwrap(), Some(1));
    assert_eq!(fixture.request(mine[0].id).await.phase, Phase::Failed);
}

pub async fn a_quiet_worker_claims_nothing_and_keeps_what_it_has(fixture: &Fixture) {
    let (store, by) = (&fixture.store, session("box", 1));
    store.create_worker(worker("box", 1)).await.unwrap();
    fixture.submit(fox()).await;
    fixture.submit(fox()).await;
    let first = claim(fixture, &by, 1).await.remove(0);
    assert!(store.set_quiet("box", true).await.unwrap());
    assert!(store.set_quiet("box", true).await.unwrap(), "it is so already");
    assert!(store.worker(&KeyHash([1; 32])).await.unwrap().unwrap().quiet);
    assert!(store.workers().await.unwrap()[0].quiet);
    assert!(claim(fixture, &by, 1).await.is_empty());
    store.beat(first.id, first.epoch, Progress::new(50)).await.unwrap();
    store.complete(first.id, first.epoch, Output::default()).await.unwrap();
    let mut events = store.events();
    assert!(store.set_quiet("box", false).await.unwrap());
    // A claim that is held open looks again.
    assert_eq!(events.try_recv().unwrap(), StoreEvent::WorkSubmitted { queue: "render".into() });
    assert_eq!(claim(fixture, &by, 1).await.len(), 1);
    let acts = store.audit(None, 2).await.unwrap();
    let acts: Vec<_> = acts.iter().map(|of| of.act.as_str()).collect();
    assert_eq!(acts, ["worker resumed", "worker made quiet"]);
}

pub async fn a_session_that_is_silent_loses_what_it_has(fixture: &Fixture) {
    let (store, by) = (&fixture.store, session("box", 1));
    store.create_worker(worker("box", 1)).await.unwrap();
    fixture.submit(fox()).await;
    let first = claim(fixture, &by, 1).await.remove(0);
    fixture.clock.advance(SILENCE_MAX - HEARTBEAT);
    store.beat(first.id, first.epoch, Progress::new(10)).await.unwrap();
    fixture.clock.advance(HEARTBEAT);
    assert_eq!(store.rescue(&LivingAttempts::default()).await.unwrap().requeued, 0);
    assert_eq!(fixture.lose().await.requeued, 1);
    assert_eq!(told(fixture, &by).await, []);
    let lost = Some((by.clone(), Some(AttemptEnd::Lost)));
    assert_eq!(held(fixture, (first.id, first.epoch)).await, lost);
    // It comes back, and is a worker like any other.
    let second = claim(fixture, &by, 1).await.remove(0);
    store.complete(second.id, second.epoch, Output::default()).await.unwrap();
}

pub async fn sessions_are_listed_and_forgotten_after_a_day(fixture: &Fixture) {
    let store = &fixture.store;
    store.create_worker(worker("box", 1)).await.unwrap();
    let (one, other) = (session("box", 1), session("box", 2));
    let sessions = async || {
        let listed = store.workers().await.unwrap().remove(0).sessions;
        listed.iter().map(|of| (of.session.as_u128(), of.running)).collect::<Vec<_>>()
    };
    // Nobody of an unknown worker is noted.
    store.session_seen(seen(&session("nobody", 1))).await.unwrap();
    store.session_seen(seen(&one)).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    store.session_seen(seen(&other)).await.unwrap();
    fixture.submit(fox()).await;
    claim(fixture, &other, 1).await;
    assert_eq!(sessions().await, [(2, 1), (1, 0)]);
    let mut later = seen(&one);
    later.about.slots = 3;
    fixture.clock.advance(HEARTBEAT);
    store.session_seen(later).await.unwrap();
    let listed = store.workers().await.unwrap().remove(0).sessions.remove(1);
    assert_eq!((listed.about.slots, listed.about.gpu.as_deref()), (3, Some("H100")));
    assert_eq!(listed.seen_at.duration_since(listed.since).as_secs(), 1 + HEARTBEAT.as_secs() as i64);

    // The other one has a lease still: nobody has looked for those that expired.
    fixture.clock.advance(SESSION_KEPT);
    store.session_seen(seen(&session("box", 3))).await.unwrap();
    assert_eq!(sessions().await, [(3, 0), (2, 1)]);
    for number in 0..u128::from(SESSIONS_MAX) {
        fixture.clock.advance(Duration::from_millis(1));
        store.session_seen(seen(&session("box", 10 + number))).await.unwrap();
    }
    let kept = sessions().await;
    assert_eq!(kept.len(), SESSIONS_MAX as usize + 1);
    assert_eq!(kept.last(), Some(&(2, 1)));
    store.revoke_worker("box").await.unwrap();
    store.session_seen(seen(&one)).await.unwrap();
    assert!(!sessions().await.contains(&(1, 0)));
}

pub async fn the_attempts_of_sessions_go_with_their_request(fixture: &Fixture) {
    let (store, by) = (&fixture.store, session("box", 1));
    store.create_worker(worker("box", 1)).await.unwrap();
    let mut submission = fox();
    submission.webhook_url = None;
    fixture.submit(submission).await;
    let Claim { id, epoch, .. } = claim(fixture, &by, 1).await.remove(0);
    store.complete(id, epoch, Output::default()).await.unwrap();
    let day = Keep::days(1);
    fixture.clock.set(NOW + 3 * Duration::from_secs(24 * 60 * 60));
    let horizon = |part| Retention::new(day, day, day, day).horizon(part, store.now()).unwrap();
    assert!(held(fixture, (id, epoch)).await.is_some());
    for part in [Part::Media, Part::Input, Part::Attempts, Part::Request] {
        assert_eq!(store.let_go(part, horizon(part), vec![id]).await.unwrap(), [id]);
        assert_eq!(held(fixture, (id, epoch)).await.is_some(), matches!(part, Part::Media | Part::Input));
        fixture.is_consistent().await;
    }
}
