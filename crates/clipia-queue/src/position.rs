//! Queue positions: how many requests are ahead of one, without counting them.
//!
//! [`QueuePlaces`] keeps the tickets that wait, one bit each, and a Fenwick tree (P. Fenwick, "A new data structure for
//! cumulative frequency tables", 1994) over how many there are in each word of 64. Taking a place, leaving it and asking for
//! its position take O(log n). A million places take about 200 kB.
//!
//! ```
//! use clipia_queue::position::{Lane, Place, QueuePlaces, Ticket};
//!
//! let mut places = QueuePlaces::default();
//! let place = |ticket| Place { lane: Lane::New, ticket: Ticket(ticket) };
//! for ticket in 1..=1_000 {
//!     places.take(place(ticket));
//! }
//! places.leave(place(500)); // canceled
//! assert_eq!(places.ahead(place(1_000)), 998);
//! places.take(Place { lane: Lane::Requeued, ticket: Ticket(500) }); // its lease was lost
//! assert_eq!(places.ahead(place(1)), 1);
//! ```

use crate::lifecycle::{Epoch, Lifecycle, Phase};
use serde::{Deserialize, Serialize};

/// The number that a request gets when it is accepted. Within a queue each is greater than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub i64);

impl Ticket {
    /// The ticket after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The two lanes of a queue. Requests of the first are claimed before those of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Requests that a worker had, and that were released or lost.
    Requeued,
    /// Requests that no worker had.
    New,
}

impl Lane {
    /// The lane of a request whose latest claim was `epoch`.
    pub fn after(epoch: Epoch) -> Self {
        if epoch == Epoch::default() { Self::New } else { Self::Requeued }
    }
}

/// A place in a queue. The least one is claimed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The lane.
    pub lane: Lane,
    /// The ticket. A request keeps it in either lane.
    pub ticket: Ticket,
}

impl Place {
    /// The place of a request while it waits: in the first lane once a worker had it.
    pub fn of(life: Lifecycle, ticket: Ticket) -> Option<Self> {
        (life.phase == Phase::Queued).then(|| Self { lane: Lane::after(life.epoch), ticket })
    }
}

/// The taken places of one queue.
#[derive(Clone, Debug, Default)]
pub struct QueuePlaces {
    requeued: Tickets,
    new: Tickets,
}

impl QueuePlaces {
    /// Takes a place. False where it was taken already.
    pub fn take(&mut self, place: Place) -> bool {
        self.lane(place.lane).insert(place.ticket.0)
    }

    /// Leaves a place. False where it was not taken.
    pub fn leave(&mut self, place: Place) -> bool {
        self.lane(place.lane).remove(place.ticket.0)
    }

    /// How many places are taken ahead of a place, which need not be taken; 0 is next.
    pub fn ahead(&self, place: Place) -> u64 {
        match place.lane {
            Lane::Requeued => self.requeued.below(place.ticket.0),
            Lane::New => self.requeued.count + self.new.below(place.ticket.0),
        }
    }

    /// How many places are taken.
    pub fn waiting(&self) -> u64 {
        self.requeued.count + self.new.count
    }

    fn lane(&mut self, lane: Lane) -> &mut Tickets {
        match lane {
            Lane::Requeued => &mut self.requeued,
            Lane::New => &mut self.new,
        }
    }
}

/// Tickets in a word.
const WORD: i64 = 64;

/// A set of tickets that knows how many are below any. Its size is that of the span from the first to the last of them.
#[derive(Clone, Debug, Default)]
struct Tickets {
    /// The ticket of the first bit.
    base: i64,
    /// A bit for each ticket.
    words: Vec<u64>,
    /// The Fenwick tree: at `n - 1`, how many there are in the `n & -n` words that end with word `n - 1`.
    sums: Vec<u32>,
    count: u64,
}

impl Tickets {
    fn insert(&mut self, ticket: i64) -> bool {
        if self.count == 0 {
            *self = Self { base: ticket.div_euclid(WORD) * WORD, ..Self::default() };
        } else if ticket < self.base {
            let base = ticket.div_euclid(WORD) * WORD;
            let missing = usize::try_from((self.base - base) / WORD).unwrap_or(0);
            self.words.splice(0..0, std::iter::repeat_n(0, missing));
            self.base = base;
            self.rebuild();
        }
        let (word, bit) = self.locate(ticket);
        while self.words.len() <= word {
            self.words.push(0);
            self.sums.push(self.sum_of_a_new_word());
        }
        if self.words[word] & bit != 0 {
            return false;
        }
        self.words[word] |= bit;
        self.count += 1;
        self.each_sum_over(word, |sum| *sum += 1);
        true
    }

    fn remove(&mut self, ticket: i64) -> bool {
        let (word, bit) = self.locate(ticket);
        if ticket < self.base || self.words.get(word).is_none_or(|word| word & bit == 0) {
            return false;
        }
        self.words[word] &= !bit;
        self.count -= 1;
        self.each_sum_over(word, |sum| *sum -= 1);
        if self.count == 0 {
            *self = Self::default();
        } else if self.words[word] == 0 {
            self.forget_the_front();
        }
        true
    }

    fn below(&self, ticket: i64) -> u64 {
        if ticket <= self.base {
            return 0;
        }
        let (word, bit) = self.locate(ticket);
        let Some(last) = self.words.get(word) else {
            return self.count;
        };
        let mut below = u64::from((last & (bit - 1)).count_ones());
        let mut n = word;
        while n > 0 {
            below += u64::from(self.sums[n - 1]);
            n &= n - 1;
        }
        below
    }

    /// The word of a ticket that is not below the base, and its bit there.
    fn locate(&self, ticket: i64) -> (usize, u64) {
        let offset = ticket - self.base;
        (usize::try_from(offset / WORD).unwrap_or(usize::MAX), 1 << offset.rem_euclid(WORD))
    }

    fn each_sum_over(&mut self, word: usize, change: impl Fn(&mut u32)) {
        let mut n = word + 1;
        while n <= self.sums.len() {
            change(&mut self.sums[n - 1]);
            n += lowest_bit(n);
        }
    }

    /// What the tree holds for the next word, which is empty.
    fn sum_of_a_new_word(&self) -> u32 {
        let n = self.sums.len() + 1;
        let mut sum = 0;
        let mut step = 1;
        while step < lowest_bit(n) {
            sum += self.sums[n - step - 1];
            step *= 2;
        }
        sum
    }

    /// Drops the words before the first ticket once they are more than half, so that each is moved once at most.
    fn forget_the_front(&mut self) {
        let empty = self.first_word();
        if empty > self.words.len() / 2 {
            self.words.drain(..empty);
            self.words.shrink_to(2 * self.words.len());
            self.base += i64::try_from(empty).unwrap_or(0) * WORD;
            self.rebuild();
        }
    }

    /// The first word that is not empty, found by descending the tree.
    fn first_word(&self) -> usize {
        let mut before = 0;
        let mut step = self.sums.len().checked_ilog2().map_or(0, |log| 1usize << log);
        while step > 0 {
            if before + step <= self.sums.len() && self.sums[before + step - 1] == 0 {
                before += step;
            }
            step /= 2;
        }
        before
    }

    fn rebuild(&mut self) {
        self.sums = self.words.iter().map(|word| word.count_ones()).collect();
        for n in 1..=self.sums.len() {
            let parent = n + lowest_bit(n);
            if parent <= self.sums.len() {
                self.sums[parent - 1] += self.sums[n - 1];
            }
        }
    }
}

const fn lowest_bit(n: usize) -> usize {
    n & n.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Clone, Debug)]
    enum Step {
        Submit(u8),
        Claim(u8),
        Leave(proptest::sample::Index),
        Requeue(proptest::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1u8..90).prop_map(Step::Submit),
            3 => (1u8..90).prop_map(Step::Claim),
            2 => any::<proptest::sample::Index>().prop_map(Step::Leave),
            2 => any::<proptest::sample::Index>().prop_map(Step::Requeue),
        ]
    }

    proptest! {
        #[test]
        fn it_says_what_counting_says(first in -200i64..200, steps in proptest::collection::vec(step(), 1..200)) {
            let (mut places, mut counted) = (QueuePlaces::default(), BTreeSet::new());
            let (mut next, mut running) = (first, Vec::new());
            for step in steps {
                match step {
                    Step::Submit(many) => for _ in 0..many {
                        let place = Place { lane: Lane::New, ticket: Ticket(next) };
                        next += 1;
                        prop_assert!(places.take(place) && counted.insert(place));
                    },
                    Step::Claim(many) => for _ in 0..many {
                        let Some(place) = counted.pop_first() else { break };
                        prop_assert_eq!(places.ahead(place), 0);
                        prop_assert!(places.leave(place) && !places.leave(place));
                        running.push(place.ticket);
                    },
                    Step::Leave(index) => if !counted.is_empty() {
                        let place = *counted.iter().nth(index.index(counted.len())).unwrap();
                        prop_assert!(places.leave(place) && counted.remove(&place));
                    },
                    Step::Requeue(index) => if !running.is_empty() {
                        let ticket = running.swap_remove(index.index(running.len()));
                        let place = Place { lane: Lane::Requeued, ticket };
                        prop_assert!(places.take(place) && counted.insert(place) && !places.take(place));
                    },
                }
                prop_assert_eq!(places.waiting(), counted.len() as u64);
                for (place, ahead) in counted.iter().zip(0..) {
                    prop_assert_eq!(places.ahead(*place), ahead);
                }
                let last = Place { lane: Lane::New, ticket: Ticket(next + 1_000) };
                prop_assert_eq!(places.ahead(last), counted.len() as u64);
            }
        }
    }

    #[test]
    fn a_queue_that_moves_on_stays_small() {
        let mut places = QueuePlaces::default();
        let place = |ticket| Place { lane: Lane::New, ticket: Ticket(ticket) };
        for ticket in 0..1_000_000 {
            places.take(place(ticket));
            places.leave(place(ticket - 1_000));
        }
        assert_eq!(places.waiting(), 1_000);
        assert!(places.new.words.len() <= 64, "{} words for 1,000", places.new.words.len());
    }
}
