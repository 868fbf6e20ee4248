//! Several processes on one key, each with a client of its own, which do not talk to each other.

use super::*;

/// The largest part of the requests of all processes that may be refused.
const REFUSED_MAX: f64 = 0.05;

/// Fleets of several processes, measured together.
#[derive(Default)]
struct Measured {
    /// The times until the last end was known, as ratios to the clairvoyant's.
    drained: Vec<f64>,
    refused: Vec<f64>,
    requests: Vec<f64>,
}

impl Measured {
    fn add(&mut self, fleet: &Fleet) {
        let (report, drained, _) = beside(fleet);
        self.drained.push(drained);
        self.refused.push(report.refused as f64 / report.requests as f64);
        self.requests.push(each(&report));
    }
}

/// So many clients, each of which submits so many generations.
fn processes(kind: &str, clients: usize, each: usize, seed: u64) -> Fleet {
    Fleet { clients: vec![Lifetime::default(); clients], ..fleet(kind, clients * each, seed) }
}

/// The same with constant durations: each process but the first begins at some time within the first second. Such a
/// fleet is sensitive to where its polls fall.
fn processes_of(kind: &str, clients: usize, each: usize, seed: u64) -> Fleet {
    let mut fleet = processes(kind, clients, each, seed);
    if kind == CONSTANT {
        let mut random = Random(seed);
        for lifetime in &mut fleet.clients[1..] {
            lifetime.begins = Duration::from_secs_f64(random.next());
        }
    }
    fleet
}

/// The numbers of processes, and of the generations of each; and how long it may take on average for constant,
/// lognormal and bimodal durations, in multiples of the least time.
///
/// The target is 1.15. With constant durations the clairvoyant needs little longer than one generation takes, and every
/// process must find this duration by itself from its share of the budget. For twenty processes with one generation each
/// that is not to be had: beyond their submits the key grants seventy polls in thirty seconds, three and a half for each
/// process, and as many steps of 1.15 cover only the durations from 18 s to 30 s.
const TARGETS: [(usize, usize, u64, [f64; 3]); 7] = [
    (2, 5, 10, [1.15, 1.15, 1.15]),
    (2, 25, 10, [1.25, 1.15, 1.15]),
    (4, 5, 10, [1.2, 1.15, 1.15]),
    (4, 25, 10, [1.15, 1.15, 1.15]),
    (20, 1, 10, [1.35, 1.2, 1.25]),
    (20, 5, 4, [1.15, 1.15, 1.25]),
    (20, 25, 1, [1.05, 1.05, 1.05]),
];

/// Measures the table in the documentation of `budget`.
#[test]
fn processes_share_a_key() {
    let mut table = String::from(
        "| processes | generations each | durations | drained, of the clairvoyant's | 429s | requests each |\n\
         |---|---|---|---|---|---|\n",
    );
    for (clients, each, seeds, allowed) in TARGETS {
        for (kind, allowed) in [CONSTANT, LOGNORMAL, BIMODAL].into_iter().zip(allowed) {
            let mut measured = Measured::default();
            for seed in 0..seeds {
                measured.add(&processes_of(kind, clients, each, seed * 7_919 + 1));
            }
            let Measured { drained, refused, requests } = measured;
            let worst = refused.iter().copied().fold(0.0, f64::max);
            assert!(worst <= REFUSED_MAX, "{clients} with {each} {kind}: {worst} refused");
            let (drained, refused, requests) = (mean(&drained), mean(&refused) * 100.0, mean(&requests));
            assert!(drained <= allowed, "{clients} with {each} {kind}: {drained}");
            table +=
                &format!("| {clients} | {each} | {kind} | {drained:.2} | {refused:.1} % | {requests:.1} |\n");
        }
    }
    println!("{table}");
    assert_eq!(table, include_str!("../../../budget/shared.md"), "put this into budget/shared.md");
}

/// Half of the processes begin after 20 s, and one of them dies after 40 s.
#[test]
fn processes_may_join_and_die() {
    for kind in [CONSTANT, LOGNORMAL, BIMODAL] {
        for clients in [2, 4, 20] {
            let mut fleet = processes(kind, clients, 100 / clients, 1);
            for lifetime in &mut fleet.clients[clients / 2..] {
                lifetime.begins = Duration::from_secs(20);
            }
            fleet.clients[clients - 1].dies = Some(Duration::from_secs(40));
            let (report, drained, _) = beside(&fleet);
            let refused = report.refused as f64 / report.requests as f64;
            assert!(refused <= REFUSED_MAX, "{clients} {kind}: {refused} refused");
            assert!(drained <= 1.3, "{clients} {kind}: {drained}");
        }
    }
}

/// The pace of the last process as a part of its fair share, between two times in seconds after it has begun.
fn pace(fleet: &Fleet, report: &Report, from: u64, until: u64) -> f64 {
    let joined = fleet.clients[fleet.clients.len() - 1].begins;
    let window = joined + Duration::from_secs(from)..joined + Duration::from_secs(until);
    let requests = |client: Option<usize>| {
        let fates = report.fates.iter().enumerate();
        let fates =
            fates.filter(|(number, _)| client.is_none_or(|client| fleet.client_of(*number) == client));
        fates
            .flat_map(|(_, fate)| fate.polled.iter().chain([&fate.begun]))
            .filter(|at| window.contains(at))
            .count()
    };
    (requests(Some(fleet.clients.len() - 1)) * fleet.clients.len()) as f64 / requests(None) as f64
}

/// A process that joins one or three others that use all of the budget.
#[test]
fn a_process_that_joins_a_busy_key_gets_its_share() {
    for clients in [2, 4] {
        for kind in [CONSTANT, LOGNORMAL] {
            let mut fleet = processes(kind, clients, 150, 1);
            fleet.clients[clients - 1].begins = Duration::from_secs(20);
            let report = run(&fleet);
            let refused = report.refused as f64 / report.requests as f64;
            assert!(refused <= REFUSED_MAX, "{clients} {kind}: {refused} refused");
            let (soon, later) = (pace(&fleet, &report, 60, 90), pace(&fleet, &report, 60, 200));
            assert!(soon >= 0.5 && later >= 0.7, "{clients} {kind}: {soon} of its share, then {later}");
        }
    }
}

#[test]
fn a_few_generations_cost_few_requests() {
    // A lone one costs its submit and at most nine polls, and is known within a third of its duration.
    let (lone, drained, _) = beside(&fleet(CONSTANT, 1, 1));
    assert!(lone.requests <= 10 && drained <= 1.33, "{} requests, {drained}", lone.requests);
    // Five cost eleven each if each is polled for itself.
    let (five, drained, _) = beside(&fleet(CONSTANT, 5, 1));
    assert!(each(&five) <= 5.5 && drained <= 1.1, "{} requests each, {drained}", each(&five));
    // The same whatever the duration is.
    let (mut lone, mut five) = (Measured::default(), Measured::default());
    for step in 0..20 {
        let duration = Duration::from_secs_f64(20.0 * 3f64.powf(f64::from(step) / 20.0));
        for (measured, n) in [(&mut lone, 1), (&mut five, 5)] {
            measured.add(&Fleet { durations: vec![duration; n], ..fleet(CONSTANT, n, 1) });
        }
    }
    assert!(mean(&lone.drained) <= 1.16 && mean(&lone.requests) <= 10.5, "{:?}", mean(&lone.requests));
    assert!(mean(&five.drained) <= 1.1 && mean(&five.requests) <= 5.8, "{:?}", mean(&five.requests));
}
