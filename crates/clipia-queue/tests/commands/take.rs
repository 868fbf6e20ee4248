use super::{account, at};
use clipia_queue::commands::take::{Decision, Left, Round, Taking, Wanted, postponed, taken};
use clipia_queue::deliveries::{DeliveryHost, DeliveryOwner, HostRoom, StoredDelivery};
use clipia_queue::shares::Shares;
use std::time::Duration;

fn host(name: &str) -> DeliveryHost {
    let owner = DeliveryOwner { account: account(), sandbox: false };
    DeliveryHost { owner, host: format!("https://{name}.example") }
}

fn room(name: &str, room: u32, room_for_replays: u32, waiting: bool) -> HostRoom {
    HostRoom { host: host(name), room, room_for_replays, waiting }
}

#[test]
fn a_delivery_has_its_turn_where_its_host_has_room() {
    for (hosts, scheduled, decision) in [
        (vec![], true, Decision::Take),
        (vec![room("a", 1, 1, false)], true, Decision::Take),
        (vec![room("a", 0, 1, false)], true, Decision::Postpone),
        (vec![room("a", 0, 1, false)], false, Decision::Take),
        (vec![room("a", 0, 0, false)], false, Decision::Postpone),
        // Others of the host have waited for longer.
        (vec![room("a", 1, 1, true)], true, Decision::Postpone),
        (vec![room("a", 0, 1, true)], false, Decision::Take),
    ] {
        let taking = Taking::new(8, 4, &hosts, Shares::new(100));
        assert_eq!(taking.decide(&host("a"), scheduled), decision, "{hosts:?} {scheduled}");
    }
    let mut none_free = Shares::new(1);
    none_free.take(host("a").owner);
    assert_eq!(Taking::new(8, 4, &[], none_free).decide(&host("a"), true), Decision::Postpone);
}

#[test]
fn half_the_places_are_for_those_that_waited() {
    for (most, half) in [(8, 4), (7, 4), (1, 1)] {
        let taking = Taking::new(most, 4, &[], Shares::new(100));
        assert_eq!(taking.rounds(), [Round::Postponed(half), Round::Due(most), Round::Postponed(most)]);
    }
}

#[test]
fn as_many_postponed_ones_are_wanted_as_there_is_room_for() {
    for (room, wanted) in [
        (room("a", 3, 3, true), Some(Wanted { most: 3, replays_only: false })),
        (room("a", 9, 9, true), Some(Wanted { most: 5, replays_only: false })),
        (room("a", 0, 1, true), Some(Wanted { most: 1, replays_only: true })),
        (room("a", 0, 0, true), None),
        (room("a", 3, 3, false), None),
    ] {
        let hosts = [room];
        let taking = Taking::new(8, 4, &hosts, Shares::new(100));
        assert_eq!(taking.wanted(&host("a"), 5), wanted, "{hosts:?}");
    }
}

#[test]
fn a_host_that_is_down_gets_replays_alone() {
    let due = postponed(StoredDelivery::new(at(5)));
    let replay = StoredDelivery { replay_at: Some(at(4)), ..due };
    for (delivery, of_any, of_replays) in [
        (due, true, false),
        (replay, true, true),
        (StoredDelivery { postponed: false, ..replay }, false, false),
        (StoredDelivery { due_at: at(6), ..due }, false, false),
        (StoredDelivery { claimed_until: Some(at(9)), ..replay }, false, false),
    ] {
        let takes =
            [false, true].map(|replays_only| Wanted { most: 1, replays_only }.takes(&delivery, at(5)));
        assert_eq!(takes, [of_any, of_replays], "{delivery:?}");
    }
}

#[test]
fn a_claim_returns_the_hosts_that_wait_and_those_that_do_not_any_more() {
    let hosts = [room("a", 2, 2, true), room("b", 1, 1, false)];
    let mut taking = Taking::new(8, 4, &hosts, Shares::new(100));
    let wanted = taking.wanted(&host("a"), 8).unwrap();
    taking.found(&host("a"), wanted, 1);
    taking.take(&host("a"));
    taking.take(&host("b"));
    assert_eq!(taking.decide(&host("b"), true), Decision::Postpone);
    taking.postpone(&host("b"));
    taking.postpone(&host("b"));
    assert!(taking.has(2) && !taking.has(3));
    assert_eq!(taking.left(), Left { postponed: vec![host("b")], cleared: vec![host("a")] });
    // A host that nothing was said of has its share of room.
    let mut taking = Taking::new(8, 1, &[], Shares::new(100));
    taking.take(&host("c"));
    assert_eq!(taking.decide(&host("c"), false), Decision::Postpone);
}

#[test]
fn what_is_taken_is_postponed_no_more() {
    let new = StoredDelivery::new(at(0));
    let waiting = postponed(new);
    assert_eq!(waiting, StoredDelivery { postponed: true, ..new });
    let lease = Duration::from_secs(30);
    assert_eq!(taken(waiting, lease, at(1)), StoredDelivery { claimed_until: Some(at(31)), ..new });
}
