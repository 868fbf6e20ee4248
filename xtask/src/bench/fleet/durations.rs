//! The durations of the generations of a fleet.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use std::time::Duration;

/// The seed of the draws, so that every run has the same durations.
const SEED: u64 = 30;

/// The median of the lognormal durations, in seconds.
const MEDIAN: f64 = 30.0;

/// How durations are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durations {
    /// 30 s each.
    Constant,
    /// Around 30 s, σ 0.6: a tenth takes less than 14 s, a tenth more than 65 s.
    Lognormal,
    /// Half take 8 s, half 60 s: a model with a draft and a full quality.
    Bimodal,
}

impl Durations {
    pub(super) const ALL: [Self; 3] = [Self::Constant, Self::Lognormal, Self::Bimodal];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Lognormal => "lognormal",
            Self::Bimodal => "bimodal",
        }
    }

    /// The durations of `count` generations, in the order of their submits.
    pub(super) fn draw(self, count: usize) -> Vec<Duration> {
        self.draw_by(&mut StdRng::seed_from_u64(SEED), count)
    }

    /// The same by other random numbers.
    pub(super) fn draw_by(self, random: &mut StdRng, count: usize) -> Vec<Duration> {
        let mut seconds: Vec<f64> = (0..count)
            .map(|index| match self {
                Self::Constant => MEDIAN,
                Self::Lognormal => MEDIAN * (0.6 * random.sample::<f64, _>(StandardNormal)).exp(),
                Self::Bimodal => [8.0, 60.0][index % 2],
            })
            .collect();
        seconds.shuffle(random);
        seconds.into_iter().map(Duration::from_secs_f64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_and_are_as_described() {
        for durations in Durations::ALL {
            let drawn = durations.draw(500);
            assert_eq!(drawn, durations.draw(500));
            let share = |limit| {
                drawn.iter().filter(|&&duration| duration < Duration::from_secs(limit)).count() as f64 / 500.0
            };
            let (below_14, below_30, below_65) = (share(14), share(30), share(65));
            match durations {
                Durations::Constant => assert_eq!((below_14, below_30, below_65), (0.0, 0.0, 1.0)),
                Durations::Bimodal => assert_eq!((below_14, below_30, below_65), (0.5, 0.5, 1.0)),
                Durations::Lognormal => {
                    for (share, expected) in [(below_14, 0.1), (below_30, 0.5), (below_65, 0.9)] {
                        assert!((share - expected).abs() < 0.05, "{share} {expected}");
                    }
                }
            }
        }
    }
}
