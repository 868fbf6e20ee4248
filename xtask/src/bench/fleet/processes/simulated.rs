//! Rows in simulated time.

use super::{Measured, Row};
use crate::bench::fleet::row::PATIENCE;
use clipia::simulation;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// The number of fleets that a row is the average of.
const FLEETS: u64 = 10;

/// The seed of the first fleet. It differs from those that the constants of the SDK were chosen with.
const SEED: u64 = 1_000;

/// The processes of a fleet begin within this time.
const BEGIN_WITHIN: Duration = Duration::from_secs(1);

/// Simulates fleets of other durations and other beginnings, and takes their averages; of lost generations the sum.
pub(super) fn measure(row: Row, ignores_others: bool) -> Measured {
    let mut all = Measured { lost: 0.0, refused: 0.0, drained: 0.0, requests: 0.0 };
    for seed in SEED..SEED + FLEETS {
        let mut random = StdRng::seed_from_u64(seed);
        let durations = row.durations.draw_by(&mut random, row.generations());
        let begins: Vec<Duration> =
            (0..row.processes).map(|_| BEGIN_WITHIN.mul_f64(random.random_range(0.0..1.0))).collect();
        let fleet = simulation::measure(durations, &begins, ignores_others);
        let last = fleet.known.iter().max().copied().unwrap_or_default();
        all.lost += fleet.known.iter().filter(|known| **known > fleet.least * PATIENCE).count() as f64;
        all.refused += fleet.refused as f64 / fleet.requests as f64 / FLEETS as f64;
        all.drained += last.as_secs_f64() / fleet.least.as_secs_f64() / FLEETS as f64;
        all.requests += fleet.requests as f64 / row.generations() as f64 / FLEETS as f64;
    }
    all
}
