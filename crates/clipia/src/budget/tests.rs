use super::*;
use proptest::prelude::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn taken_at(budget: &mut Budget, now: Instant) -> u32 {
    let mut taken = 0;
    while budget.take(now, 0.0).is_ok() {
        taken += 1;
    }
    taken
}

/// The budget of a client whose server has named the limit of a default key.
fn named(now: Instant) -> Budget {
    let mut budget = Budget::new(now, 0);
    budget.answered(now, 0, RateLimit { limit: Some(120), ..RateLimit::default() });
    budget
}

#[test]
fn before_the_first_response_one_request_asks_for_the_limit() {
    let start = Instant::now();
    let mut budget = Budget::new(start, 0);
    // One request asks for the limit. Without a response the next goes at the rate of a default key.
    assert_eq!(taken_at(&mut budget, start), 1);
    let next = budget.take(start, 0.0).unwrap_err();
    assert!(next - start <= seconds(0.500_01) && next - start >= seconds(0.499_99));
    assert_eq!(taken_at(&mut budget, start + seconds(600.0)), 1);
    budget.answered(start + seconds(600.0), 1, RateLimit::default());
    assert_eq!(taken_at(&mut budget, start + seconds(600.0)), 9);
}

/// Takes tokens for `time`, each of which is accepted at once.
fn accepted_for(budget: &mut Budget, from: Instant, time: Duration) -> u32 {
    let (mut now, mut accepted) = (from, 0);
    while now <= from + time {
        match budget.take(now, 0.0) {
            Ok(number) => {
                budget.answered(now, number, RateLimit::default());
                budget.accepted();
                accepted += 1;
            }
            Err(when) => now = when,
        }
    }
    accepted
}

#[test]
fn without_headers_the_limit_is_probed() {
    let start = Instant::now();
    let mut budget = Budget::new(start, 0);
    let first = accepted_for(&mut budget, start, seconds(5.0));
    assert!((100..=300).contains(&first), "{first}");
    let at_most = accepted_for(&mut budget, start + seconds(60.0), seconds(10.0));
    assert!((1_000..=1_010).contains(&at_most), "{at_most}");
    // The first 429 ends the quick growth, and each halves the rate.
    let mut rate = PROBE_MAX;
    for refusal in 1..=12 {
        let now = start + seconds(100.0 * f64::from(refusal));
        budget.refused(now, None);
        budget.refused(now, None); // in flight with the one before
        rate = (rate / 2.0).max(PROBE_MIN);
        assert!((budget.per_second - rate).abs() < 1e-9, "{refusal}: {}", budget.per_second);
    }
    let slowly = accepted_for(&mut budget, start + seconds(1_300.0), seconds(60.0));
    assert!((10..60).contains(&slowly), "{slowly}");
    // A header that names the limit ends the probing.
    let now = start + seconds(2_000.0);
    budget.answered(now, 0, RateLimit { remaining: Some(10), reset: Some(0), limit: None });
    assert!((1_198..=1_212).contains(&accepted_for(&mut budget, now, seconds(600.0))));
}

#[test]
fn a_rate_that_is_not_used_up_does_not_grow() {
    let start = Instant::now();
    let mut budget = Budget::new(start, 0);
    for second in 0..1_000 {
        let now = start + seconds(f64::from(second));
        let number = budget.take(now, 0.0).unwrap();
        budget.answered(now, number, RateLimit::default());
        budget.accepted();
    }
    assert!((budget.per_second - 2.0).abs() < 1e-9, "{}", budget.per_second);
}

/// How long the bucket is closed at `now`.
fn closed(budget: &mut Budget, now: Instant) -> Duration {
    budget.take(now, 0.0).unwrap_err() - now
}

#[test]
fn refusals_in_a_row_without_retry_after_close_the_bucket_ever_longer() {
    let start = Instant::now();
    // A server that names its limit shows that others use it, so the client comes back at a time of its own.
    for (mut budget, spread) in [(Budget::new(start, 0), 0.0), (named(start), SPREAD_MAX)] {
        let mut now = start;
        for pause in [1.0, 2.0, 4.0, 8.0, 16.0, 16.0] {
            budget.refused(now, None);
            let closed = closed(&mut budget, now);
            assert!((seconds(pause)..=seconds(pause + spread)).contains(&closed), "{closed:?}");
            now += closed;
            assert!(budget.take(now, 0.0).is_ok());
        }
        budget.accepted();
        budget.refused(now, None);
        assert!(closed(&mut budget, now) <= seconds(1.0 + spread));
    }
}

/// A default key's bucket.
struct Server(u64);

impl Server {
    fn answers(&mut self, budget: &mut Budget, now: Instant, number: u64) {
        self.0 -= 1;
        let reset = Some((30 - self.0).div_ceil(2));
        budget.answered(now, number, RateLimit { limit: Some(120), remaining: Some(self.0), reset });
        budget.accepted();
    }
}

/// Takes all tokens that there are, and then gets all responses. Returns how many there were.
fn round(budget: &mut Budget, server: &mut Server, now: Instant) -> u32 {
    let numbers: Vec<u64> = std::iter::from_fn(|| budget.take(now, 0.0).ok()).collect();
    numbers.iter().for_each(|number| server.answers(budget, now, *number));
    numbers.len() as u32
}

#[test]
fn a_client_alone_sends_twice_as_many_with_each_round_and_leaves_one_token() {
    let (start, mut server) = (Instant::now(), Server(30));
    let mut budget = Budget::new(start, 0);
    let rounds: Vec<u32> = (0..7).map(|_| round(&mut budget, &mut server, start)).collect();
    assert_eq!(rounds, [1, 2, 4, 8, 14, 0, 0]);
    assert_eq!(taken_at(&mut budget, start + seconds(3.0)), 6);
}

#[test]
fn a_client_that_sees_others_waits_for_each_response_and_leaves_them_their_part() {
    let (start, mut server) = (Instant::now(), Server(30));
    let mut budget = Budget::new(start, 0);
    server.0 -= 9;
    // One of ten requests was its own, so it claims a tenth of the 16 tokens that are not reserved.
    assert_eq!(round(&mut budget, &mut server, start), 1);
    assert!((budget.share.part() - 0.1).abs() < 0.01, "{}", budget.share.part());
    assert_eq!(round(&mut budget, &mut server, start), 1);
    assert_eq!(round(&mut budget, &mut server, start), 1);
    assert!(round(&mut budget, &mut server, start + seconds(4.0)) <= 1);
    // Half a minute without others, and it is alone again.
    for second in 5..60 {
        server.0 = 30;
        round(&mut budget, &mut server, start + seconds(f64::from(second)));
    }
    assert!(!budget.share.is_shared());
}

#[test]
fn what_is_known_of_the_bucket_becomes_old() {
    let (start, mut server) = (Instant::now(), Server(30));
    let mut budget = Budget::new(start, 0);
    (0..3).for_each(|_| _ = round(&mut budget, &mut server, start));
    assert_eq!(taken_at(&mut budget, start + seconds(6.0)), 1);
}

#[test]
fn a_response_that_a_later_one_overtook_does_not_count() {
    let start = Instant::now();
    let mut budget = Budget::new(start, 0);
    let numbers = [(); 2].map(|()| budget.spend(start));
    budget.answered(start, numbers[1], RateLimit { limit: Some(60), remaining: Some(1), reset: Some(14) });
    budget.answered(start, numbers[0], RateLimit { limit: Some(60), remaining: Some(29), reset: Some(1) });
    assert_eq!(taken_at(&mut budget, start), 0);
}

#[test]
fn a_key_without_a_limit_is_not_held_back() {
    let start = Instant::now();
    let mut budget = Budget::new(start, 0);
    budget.spend(start);
    let all = u64::from(u32::MAX);
    budget.answered(start, 1, RateLimit { limit: Some(all), remaining: Some(all), reset: Some(0) });
    assert!((0..100_000).all(|_| budget.take(start, 0.0).is_ok()));
}

#[test]
fn a_429_closes_the_bucket_until_retry_after() {
    let start = Instant::now();
    let mut budget = Budget::new(start, 0);
    budget.spend(start);
    budget.answered(start, 1, RateLimit { limit: Some(120), remaining: Some(0), reset: Some(15) });
    budget.refused(start, Some(seconds(7.0)));
    let pause = closed(&mut budget, start);
    assert!((seconds(7.0)..seconds(7.0 + SPREAD_MAX)).contains(&pause), "{pause:?}");
    assert_eq!(taken_at(&mut budget, start + pause), 1);
    // A late response to an earlier request does not open the bucket again.
    let late = start + seconds(50.0);
    budget.refused(late, Some(seconds(5.0)));
    let headers = RateLimit { limit: Some(120), remaining: Some(9), reset: None };
    budget.answered(late + seconds(1.0), 9, headers);
    assert!(budget.take(late + seconds(2.0), 0.0).is_err());
    // A wrong `Retry-After` does not close the bucket for ever.
    budget.refused(start + seconds(100.0), Some(seconds(1e6)));
    assert!(budget.take(start + seconds(160.0 + SPREAD_MAX), 0.0).is_ok());
}

#[test]
fn each_refusal_halves_the_part_of_the_budget() {
    let start = Instant::now();
    let mut budget = named(start);
    budget.accepted();
    for (refusal, part) in [(0.0, 0.5), (50.0, 0.25), (100.0, 0.125)] {
        budget.refused(start + seconds(refusal), None);
        budget.refused(start + seconds(refusal), None); // in flight with the one before
        assert!((budget.share.part() - part).abs() < 1e-9, "{}", budget.share.part());
    }
    // A client that is refused at once finds others who use all of it.
    let mut joins = named(start);
    joins.refused(start, None);
    assert!(joins.share.part() < 0.05);
}

#[test]
fn calls_of_the_user_are_counted_and_their_debt_is_bounded() {
    let start = Instant::now();
    let mut budget = Budget::new(start, 0);
    for _ in 0..1_000 {
        budget.spend(start);
    }
    assert!(budget.take(start + seconds(5.0), 0.0).is_err());
    assert!(budget.take(start + seconds(5.6), 0.0).is_ok());
}

proptest! {
    /// In any window the tokens taken are at most a burst and the refill at the rate that the server named, or at
    /// the highest probed rate if it named none.
    #[test]
    fn never_more_than_the_burst_and_the_rate(
        steps in prop::collection::vec((0u64..3_000, any::<bool>()), 1..300),
        names in any::<bool>(),
    ) {
        let start = Instant::now();
        let mut budget = if names { named(start) } else { Budget::new(start, 0) };
        let rate = if names { LIMIT_DEFAULT / 60.0 } else { PROBE_MAX };
        let (mut now, mut taken) = (start, Vec::new());
        for (millis, gets_answer) in steps {
            now += Duration::from_millis(millis);
            while let Ok(number) = budget.take(now, 0.0) {
                taken.push(now);
                if gets_answer {
                    budget.answered(now, number, RateLimit::default());
                    budget.accepted();
                } else {
                    budget.abandoned();
                }
            }
        }
        for (first, from) in taken.iter().enumerate() {
            for (last, to) in taken.iter().enumerate().skip(first) {
                let allowed = BURST_DEFAULT + (*to - *from).as_secs_f64() * rate + 1e-6;
                prop_assert!(((last - first + 1) as f64) <= allowed);
            }
        }
    }
}
