use super::{ATTEMPT_MAX, Fixture, NOW, account, fox};
use crate::{Beat, LogPage, WorkRefused};
use clipia_api::Progress;
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::leases::HEARTBEAT;
use clipia_queue::lifecycle::{Epoch, Phase, Refused};
use clipia_queue::logs::{ATTEMPTS_MAX, BLOCK_LINES_MAX, LINES_MAX, LogLines, LogPosition, SHOWN_LINES_MAX};
use clipia_queue::retention::{Keep, Part, Retention};
use std::ops::Range;
use std::time::Duration;

/// A report of the lines of these numbers, each of which is its number.
fn report(numbers: Range<usize>) -> LogLines {
    LogLines { offset: numbers.start as u64, lines: numbers.map(|number| number.to_string()).collect() }
}

async fn page(fixture: &Fixture, id: RequestId, attempt: Option<Epoch>, after: LogPosition) -> LogPage {
    fixture.store.logs(id, attempt, after, 10_000).await.unwrap().unwrap()
}

/// The lines that an attempt logged which are kept, each with its number less one.
async fn kept(fixture: &Fixture, id: RequestId, epoch: Epoch) -> Vec<(u64, String)> {
    let page = page(fixture, id, Some(epoch), LogPosition::default()).await;
    assert!(!page.more && page.lines.iter().all(|entry| entry.epoch == epoch), "{page:?}");
    page.lines.into_iter().map(|entry| (entry.number - 1, entry.line)).collect()
}

/// The lines of [`report`]s, as they are kept.
fn lines(numbers: Range<usize>) -> Vec<(u64, String)> {
    numbers.map(|number| (number as u64, number.to_string())).collect()
}

async fn shown(fixture: &Fixture, id: RequestId) -> Vec<String> {
    fixture.store.status(&account(), id).await.unwrap().unwrap().logs
}

pub async fn lines_are_kept_in_their_order_however_often_they_are_reported(fixture: &Fixture) {
    let store = &fixture.store;
    let (id, quiet) = (fixture.submit(fox()).await, fixture.submit(fox()).await);
    let (claim, other) = (fixture.claim().await, fixture.claim().await);
    let beat = |id, epoch, logs| Beat { id, epoch, progress: Progress::new(10), logs };
    let beats = vec![beat(id, claim.epoch, report(0..3)), beat(quiet, other.epoch, LogLines::default())];
    assert!(store.beat_many(beats).await.unwrap().iter().all(Result::is_ok));
    assert_eq!(kept(fixture, id, claim.epoch).await, lines(0..3));
    // The response was lost, and more was logged.
    fixture.clock.advance(HEARTBEAT);
    let beats = vec![beat(id, claim.epoch, report(0..5)), beat(id, claim.epoch, report(0..5))];
    assert!(store.beat_many(beats).await.unwrap().iter().all(Result::is_ok));
    store.log(id, claim.epoch, report(4..7)).await.unwrap();
    assert_eq!(kept(fixture, id, claim.epoch).await, lines(0..7));
    // A report tells when its lines arrived.
    let page = page(fixture, id, None, LogPosition::default()).await;
    let times: Vec<_> = page.lines.iter().map(|entry| entry.at).collect();
    assert!(times.is_sorted() && times[2] < times[3] && times[3] == times[6], "{times:?}");
    assert_eq!((page.phase, page.position), (Phase::Running, LogPosition { epoch: claim.epoch, number: 7 }));
    assert_eq!(kept(fixture, quiet, other.epoch).await, []);
    assert!(store.logs(RequestId::generate(), None, LogPosition::default(), 9).await.unwrap().is_none());
}

pub async fn the_latest_lines_are_kept_and_the_others_are_counted(fixture: &Fixture) {
    let (store, id) = (&fixture.store, fixture.submit(fox()).await);
    let epoch = fixture.claim().await.epoch;
    let many = LINES_MAX + 312;
    store.log(id, epoch, report(0..many)).await.unwrap();
    assert_eq!(kept(fixture, id, epoch).await, lines(312..many));
    for next in many..many + 60 {
        store.log(id, epoch, report(next..next + 1)).await.unwrap();
        let kept = kept(fixture, id, epoch).await;
        assert!((LINES_MAX - BLOCK_LINES_MAX..=LINES_MAX).contains(&kept.len()), "{} lines", kept.len());
        assert_eq!(kept, lines(next + 1 - kept.len()..next + 1));
    }
    // The worker had no room for some of them: their numbers are left out.
    let next = many + 160;
    store.log(id, epoch, report(next..next + 2)).await.unwrap();
    let kept = kept(fixture, id, epoch).await;
    assert_eq!(kept[kept.len() - 3..], [lines(many + 59..many + 60), lines(next..next + 2)].concat());
    // Lines as long as they may be.
    let long = LogLines { offset: next as u64 + 2, lines: vec!["x".repeat(9_000); 200].into() };
    store.log(id, epoch, long).await.unwrap();
    fixture.is_consistent().await;
}

pub async fn lines_are_read_page_by_page(fixture: &Fixture) {
    let (store, id) = (&fixture.store, fixture.submit(fox()).await);
    let mut expected = Vec::new();
    for _ in 0..3 {
        let epoch = fixture.claim().await.epoch;
        for numbers in [0..1, 1..120, 120..130] {
            store.log(id, epoch, report(numbers)).await.unwrap();
        }
        expected.extend(lines(0..130).into_iter().map(|(before, line)| (epoch, before + 1, line)));
        store.release(id, epoch).await.unwrap();
    }
    for limit in [1, 7, 50, 130, 390, 1_000] {
        let (mut read, mut after) = (Vec::new(), LogPosition::default());
        loop {
            let page = store.logs(id, None, after, limit).await.unwrap().unwrap();
            assert!(page.lines.len() == limit || !page.more, "{limit}: {} lines", page.lines.len());
            read.extend(page.lines.into_iter().map(|entry| (entry.epoch, entry.number, entry.line)));
            after = page.position;
            if !page.more {
                break;
            }
        }
        assert_eq!(read, expected, "{limit}");
        // Nothing more came.
        let page = store.logs(id, None, after, limit).await.unwrap().unwrap();
        assert!(page.lines.is_empty() && !page.more && page.position == after, "{page:?}");
    }
    let second = page(fixture, id, Some(Epoch(2)), LogPosition { epoch: Epoch(1), number: 9 }).await;
    assert_eq!((second.lines.len(), second.position), (130, LogPosition { epoch: Epoch(2), number: 130 }));
    let rest = page(fixture, id, Some(Epoch(2)), LogPosition { epoch: Epoch(2), number: 128 }).await;
    assert_eq!(rest.lines.iter().map(|entry| entry.number).collect::<Vec<_>>(), [129, 130]);
    for (attempt, after) in [(2, 3), (9, 0)] {
        let none =
            page(fixture, id, Some(Epoch(attempt)), LogPosition { epoch: Epoch(after), number: 1 }).await;
        assert_eq!(none.lines, []);
    }
}

pub async fn a_status_shows_the_last_lines_of_the_latest_attempt(fixture: &Fixture) {
    let (store, id) = (&fixture.store, fixture.submit(fox()).await);
    let epoch = fixture.claim().await.epoch;
    assert_eq!(shown(fixture, id).await, Vec::<String>::new());
    store.log(id, epoch, report(0..3)).await.unwrap();
    assert_eq!(shown(fixture, id).await, ["0", "1", "2"]);
    for numbers in [3..4, 4..90, 90..101] {
        store.log(id, epoch, report(numbers)).await.unwrap();
    }
    let last: Vec<String> = (101 - SHOWN_LINES_MAX..101).map(|number| number.to_string()).collect();
    assert_eq!(shown(fixture, id).await, last);
    // While it waits for its next attempt, too.
    store.release(id, epoch).await.unwrap();
    assert_eq!(shown(fixture, id).await, last);
    let epoch = fixture.claim().await.epoch;
    assert_eq!(shown(fixture, id).await, Vec::<String>::new());
    store.log(id, epoch, report(0..1)).await.unwrap();
    store.complete(id, epoch, Output::default()).await.unwrap();
    assert_eq!(shown(fixture, id).await, ["0"]);
    let other = crate::AccountId("acct_other".to_owned());
    assert_eq!(store.status(&other, id).await.unwrap(), None);
}

pub async fn a_worker_that_lost_its_lease_logs_nothing(fixture: &Fixture) {
    let (store, id) = (&fixture.store, fixture.submit(fox()).await);
    let first = fixture.claim().await.epoch;
    store.log(id, first, report(0..2)).await.unwrap();
    assert_eq!(fixture.lose().await.requeued, 1);
    let is_refused = async |epoch| {
        let beat = Beat { id, epoch, progress: Progress::DONE, logs: report(0..9) };
        let mut answers = store.beat_many(vec![beat]).await.unwrap();
        answers.push(store.log(id, epoch, report(0..9)).await);
        for answer in answers {
            assert!(matches!(answer, Err(WorkRefused::Lifecycle(Refused::Stale { .. }))), "{answer:?}");
        }
    };
    is_refused(first).await;
    let second = fixture.claim().await.epoch;
    is_refused(first).await;
    store.log(id, second, report(0..1)).await.unwrap();
    store.cancel(id).await.unwrap();
    is_refused(first).await;
    is_refused(second).await;
    assert_eq!(kept(fixture, id, first).await, lines(0..2));
    assert_eq!(kept(fixture, id, second).await, lines(0..1));
    let unknown = store.log(RequestId::generate(), first, report(0..1)).await;
    assert!(matches!(unknown, Err(WorkRefused::Unknown)), "{unknown:?}");
}

pub async fn the_last_lines_come_when_the_time_is_up(fixture: &Fixture) {
    let (store, id) = (&fixture.store, fixture.submit(fox()).await);
    let epoch = fixture.claim().await.epoch;
    fixture.clock.set(NOW + ATTEMPT_MAX);
    let beat = Beat { id, epoch, progress: Progress::DONE, logs: report(0..1) };
    let answers = store.beat_many(vec![beat]).await.unwrap();
    assert!(matches!(answers[..], [Err(WorkRefused::Overdue)]), "{answers:?}");
    assert_eq!(kept(fixture, id, epoch).await, []);
    store.log(id, epoch, report(0..1)).await.unwrap();
    assert_eq!(kept(fixture, id, epoch).await, lines(0..1));
    // The lease is not prolonged by it.
    assert_eq!(store.rescue(&Default::default()).await.unwrap().requeued, 1);
}

pub async fn lines_of_the_latest_attempts_are_kept(fixture: &Fixture) {
    let (store, id) = (&fixture.store, fixture.submit(fox()).await);
    let attempts = ATTEMPTS_MAX + 2;
    for attempt in 1..=attempts {
        let epoch = fixture.claim().await.epoch;
        assert_eq!(epoch, Epoch(attempt));
        store.log(id, epoch, report(0..2)).await.unwrap();
        store.release(id, epoch).await.unwrap();
    }
    let page = page(fixture, id, None, LogPosition::default()).await;
    let mut epochs: Vec<i64> = page.lines.iter().map(|entry| entry.epoch.0).collect();
    epochs.dedup();
    assert_eq!(epochs, (3..=attempts).collect::<Vec<_>>());
}

pub async fn lines_stay_after_the_end_and_go_with_the_attempts(fixture: &Fixture) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let (store, day) = (&fixture.store, Keep::days(1));
    let retention = Retention::new(Keep::days(2), day, day, day);
    let let_go = async |part, id| {
        let horizon = retention.horizon(part, store.now()).unwrap();
        store.let_go(part, horizon, vec![id]).await.unwrap()
    };
    let submission = || crate::Submission { webhook_url: None, ..fox() };
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = fixture.submit(submission()).await;
        let epoch = fixture.claim().await.epoch;
        store.log(id, epoch, report(0..2)).await.unwrap();
        store.complete(id, epoch, Output::default()).await.unwrap();
        assert_eq!(let_go(Part::Attempts, id).await, []);
        assert_eq!((kept(fixture, id, epoch).await, shown(fixture, id).await.len()), (lines(0..2), 2));
        ids.push(id);
    }
    fixture.clock.set(NOW + DAY);
    assert_eq!(let_go(Part::Attempts, ids[0]).await, [ids[0]]);
    assert_eq!((kept(fixture, ids[0], Epoch(1)).await, shown(fixture, ids[0]).await), (vec![], vec![]));
    assert_eq!(shown(fixture, ids[1]).await, ["0", "1"]);
    fixture.is_consistent().await;
    // All of a request at once.
    fixture.clock.set(NOW + 2 * DAY);
    for id in ids {
        assert_eq!(let_go(Part::Request, id).await, [id]);
        assert!(store.logs(id, None, LogPosition::default(), 9).await.unwrap().is_none());
    }
}

pub async fn nothing_that_a_terminal_obeys_is_kept(fixture: &Fixture) {
    let (store, id) = (&fixture.store, fixture.submit(fox()).await);
    let epoch = fixture.claim().await.epoch;
    let hostile = ["\u{1b}[31mred\u{1b}[0m\ta", "\u{1b}]0;owned\u{7}two\nlines\0", ""].map(str::to_owned);
    store.log(id, epoch, LogLines { offset: 0, lines: hostile.into() }).await.unwrap();
    assert_eq!(shown(fixture, id).await, ["red\ta", "two lines", ""]);
}
