use super::{at, now};
use clipia_queue::commands::outbox::{
    Sender, abandon, free, give_up, hold, is_replayed, mend, replay, resume,
};
use clipia_queue::deliveries::DeliveryState::{Abandoned, Delivered, Held, Pending};
use clipia_queue::deliveries::StoredDelivery;
use clipia_queue::schedules::due_at_latest;

const fn new() -> StoredDelivery {
    StoredDelivery::new(clipia_queue::Moment::from_micros(1_700_000_000_000_000))
}

fn given_up() -> StoredDelivery {
    StoredDelivery { state: Abandoned, settled_at: Some(now(5).wall), ..new() }
}

#[test]
fn a_delivery_is_freed_whose_sender_is_gone() {
    let claimed = StoredDelivery { claimed_until: Some(at(30)), ..new() };
    for (sender, seconds, freed) in [
        (Sender::Gone, 0, true),
        (Sender::Unknown, 29, false),
        (Sender::Unknown, 30, true),
        (Sender::Living, 3_600, false),
    ] {
        assert_eq!(free(claimed, sender, at(seconds)), freed.then_some(new()), "{sender:?} {seconds}");
        assert_eq!(free(new(), sender, at(seconds)), None, "no sender has it");
    }
}

#[test]
fn an_operator_replays_what_was_given_up() {
    let postponed = StoredDelivery { postponed: true, ..new() };
    assert_eq!(replay(postponed, now(9)), StoredDelivery { replay_at: Some(at(9)), ..new() });
    for (delivery, replayed) in [
        (given_up(), true),
        (StoredDelivery { settled_at: Some(now(4).wall), ..given_up() }, false),
        (StoredDelivery { settled_at: None, ..given_up() }, false),
        (StoredDelivery { state: Delivered, ..given_up() }, false),
        (StoredDelivery { replay_at: Some(at(6)), ..given_up() }, false),
        (StoredDelivery { claimed_until: Some(at(6)), ..given_up() }, false),
        (new(), false),
    ] {
        assert_eq!(is_replayed(&delivery, now(5).wall), replayed, "{delivery:?}");
    }
}

#[test]
fn deliveries_of_a_restored_store_wait_for_an_operator() {
    let busy =
        StoredDelivery { claimed_until: Some(at(3)), replay_at: Some(at(1)), postponed: true, ..new() };
    let held = StoredDelivery { state: Held, ..new() };
    assert_eq!(hold(busy), held);
    assert_eq!(hold(StoredDelivery { replay_at: Some(at(1)), ..given_up() }), given_up());
    assert_eq!(held.next_at(), None);
    let resumed = resume(held, now(9)).unwrap();
    assert_eq!((resumed.state, resumed.next_at(), resumed.replay_at), (Pending, Some(at(9)), Some(at(9))));
    let abandoned = abandon(held, now(9)).unwrap();
    assert_eq!((abandoned.state, abandoned.settled_at), (Abandoned, Some(now(9).wall)));
    for other in [new(), given_up(), StoredDelivery { state: Delivered, ..given_up() }] {
        assert_eq!((resume(other, now(9)), abandon(other, now(9))), (None, None));
    }
}

#[test]
fn what_has_waited_too_long_for_its_host_is_given_up() {
    let postponed = StoredDelivery { postponed: true, ..new() };
    let asked = |seconds| StoredDelivery { replay_at: Some(at(seconds)), ..postponed };
    for (delivery, expected) in [
        (postponed, Some(StoredDelivery { settled_at: Some(now(9).wall), state: Abandoned, ..new() })),
        (asked(4), Some(StoredDelivery { settled_at: Some(now(9).wall), state: Abandoned, ..new() })),
        (asked(5), None),
        (StoredDelivery { due_at: at(5), ..postponed }, None),
        (new(), None),
        // One that was given up before is attempted no more.
        (StoredDelivery { postponed: true, replay_at: Some(at(4)), ..given_up() }, Some(given_up())),
    ] {
        assert_eq!(give_up(delivery, at(5), now(9)), expected, "{delivery:?}");
    }
}

#[test]
fn what_a_wrong_clock_put_off_is_due_as_usual() {
    let ahead = StoredDelivery { attempts: 2, due_at: at(1_000_000), replay_at: Some(at(500)), ..new() };
    let mended = mend(ahead, at(100));
    assert_eq!((mended.due_at, mended.replay_at), (due_at_latest(2, at(100)), Some(at(100))));
    let usual = StoredDelivery { attempts: 2, due_at: at(130), ..new() };
    assert_eq!(mend(usual, at(100)), usual);
}
