use super::{at, life, now, request, wall};
use clipia_api::WebhookStatus;
use clipia_api::types::{Image, Output};
use clipia_queue::audit::Act;
use clipia_queue::commands::end::{Books, cancel, complete, fail};
use clipia_queue::commands::{Contradiction, Now, Refused, StoredRequest};
use clipia_queue::leases::AttemptEnd;
use clipia_queue::ledger::{Balance, Movement};
use clipia_queue::lifecycle::{Epoch, Phase};
use clipia_queue::limits::{KeyUse, Per, Period, SpentCredits};
use clipia_queue::position::{Lane, Place, Ticket};
use clipia_queue::usage::{Usage, day};
use clipia_queue::{Credits, Failure};

const BOOKS: Books = Books {
    balance: Balance { available: Credits::new(100), held: Credits::new(36) },
    used: KeyUse { in_flight: 3, spent: NOTHING },
};

const NOTHING: SpentCredits = SpentCredits { period: Period { since: 0, until: 0 }, credits: Credits::ZERO };

#[test]
fn an_end_settles_credits_lease_place_and_delivery() {
    let (running, queued) = (request(life(Phase::Running, 2, 1)), request(life(Phase::Queued, 2, 1)));
    let (output, why) = (Output::default(), Failure::generation("no fox"));
    let price = Credits::new(12);
    let (capture, release) =
        (Movement::Capture { reserved: price, charged: price }, Movement::Release(price));
    for (ending, phase, movement, available, how, status, place) in [
        (
            complete(&running, Epoch(2), &output),
            Phase::Completed,
            capture,
            100,
            AttemptEnd::Completed,
            WebhookStatus::Ok,
            None,
        ),
        (
            fail(&running, Epoch(2), &why),
            Phase::Failed,
            release,
            112,
            AttemptEnd::Failed,
            WebhookStatus::Error,
            None,
        ),
        (cancel(&running), Phase::Canceled, release, 112, AttemptEnd::Canceled, WebhookStatus::Error, None),
        (
            cancel(&queued),
            Phase::Canceled,
            release,
            112,
            AttemptEnd::Canceled,
            WebhookStatus::Error,
            Some(Place { lane: Lane::Requeued, ticket: Ticket(7) }),
        ),
    ] {
        let ended = ending.unwrap().settle(BOOKS, now(9)).unwrap();
        assert_eq!((ended.life, ended.place), (life(phase, 2, 1), place));
        let balance = Balance { available: Credits::new(available), held: Credits::new(24) };
        assert_eq!((ended.entry.movement, ended.entry.balance), (movement, balance));
        let charged = if movement == capture { price } else { Credits::ZERO };
        assert_eq!((ended.charged, ended.used.in_flight), (charged, 2));
        let usage = Usage { day: day(now(9).wall), requests: 0, credits: price };
        assert_eq!(ended.usage, (movement == capture).then_some(usage));
        assert_eq!(
            (ended.output.is_some(), ended.failure.is_some()),
            (phase == Phase::Completed, phase == Phase::Failed)
        );
        assert_eq!((ended.completed_at, ended.lease.how, ended.lease.epoch), (now(9).wall, how, Epoch(2)));
        let delivery = ended.delivery.unwrap();
        assert_eq!((delivery.host.as_str(), delivery.body.status), ("https://receiver.example", status));
        assert_eq!((delivery.created_at, delivery.stored.next_at()), (now(9).wall, Some(at(9))));
        let act = (phase == Phase::Canceled).then(|| Act::request_canceled(running.id).act);
        assert_eq!(ended.act.map(|act| act.act), act);
    }
}

#[test]
fn what_is_not_charged_goes_back_to_the_budget_of_its_period() {
    let (output, why) = (Output::default(), Failure::generation("no fox"));
    let running = request(life(Phase::Running, 2, 1));
    let this = SpentCredits { period: Per::Day.period(running.created_at), credits: Credits::new(40) };
    let next = Period { since: this.period.until, until: this.period.until + 1 };
    for (ending, period, left) in [
        (complete(&running, Epoch(2), &output), this.period, 40),
        (fail(&running, Epoch(2), &why), this.period, 28),
        (cancel(&running), this.period, 28),
        (cancel(&running), next, 40),
    ] {
        let books = Books { used: KeyUse { spent: SpentCredits { period, ..this }, ..BOOKS.used }, ..BOOKS };
        let spent = ending.unwrap().settle(books, now(9)).unwrap().used.spent;
        assert_eq!(spent, SpentCredits { period, credits: Credits::new(left) });
    }
}

#[test]
fn only_the_claim_in_force_ends_a_request_and_only_once() {
    let (output, why) = (Output::default(), Failure::generation("no fox"));
    for (phase, epoch, is_canceled) in [
        (Phase::Running, 1, true),
        (Phase::Queued, 2, true),
        (Phase::Completed, 2, false),
        (Phase::Failed, 2, false),
        (Phase::Canceled, 2, false),
    ] {
        let request = request(life(phase, 2, 0));
        assert!(complete(&request, Epoch(epoch), &output).is_err(), "{phase:?}");
        assert!(fail(&request, Epoch(epoch), &why).is_err(), "{phase:?}");
        assert_eq!(cancel(&request).is_ok(), is_canceled, "{phase:?}");
    }
}

#[test]
fn books_that_do_not_bear_the_end_refuse_it() {
    let running = request(life(Phase::Running, 1, 0));
    let settle = |books| cancel(&running).unwrap().settle(books, now(9)).unwrap_err();
    let refused = settle(Books { used: KeyUse::default(), ..BOOKS });
    assert!(matches!(refused, Refused::Contradiction(Contradiction::NothingInFlight(_))), "{refused}");
    let refused = settle(Books { balance: Balance::default(), ..BOOKS });
    assert!(matches!(refused, Refused::Ledger(_)), "{refused}");
}

#[test]
fn a_delivery_is_written_where_one_is_wanted_and_names_whole_addresses() {
    let silent = StoredRequest { webhook_url: None, ..request(life(Phase::Running, 1, 0)) };
    assert!(cancel(&silent).unwrap().settle(BOOKS, now(9)).unwrap().delivery.is_none());
    let output = Output { images: vec![Image::at("/media/1/a.png".to_owned())], ..Output::default() };
    let wanting = request(life(Phase::Running, 1, 0));
    let ended = complete(&wanting, Epoch(1), &output).unwrap().settle(BOOKS, now(9)).unwrap();
    let body = serde_json::to_value(ended.delivery.unwrap().body).unwrap();
    assert_eq!(body["payload"]["output"]["images"][0]["url"], "https://queue.example/media/1/a.png");
    // An end is never before its beginning, though the system's clock was set back.
    let set_back = Now { wall: at(0), ..now(9) };
    let ended = cancel(&wanting).unwrap().settle(BOOKS, set_back).unwrap();
    assert_eq!(ended.completed_at, wall(at(0)));
}
