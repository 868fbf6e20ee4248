//! A set of tickets that knows how many are below any.

/// Tickets in a word.
const WORD: i64 = 64;

/// A set of tickets that knows how many are below any. Its size is that of the words that hold a ticket.
#[derive(Clone, Debug, Default)]
pub(super) struct Tickets {
    /// The number of each word: ticket `t` is in word `t / 64`. The numbers rise, and may have gaps.
    numbers: Vec<i64>,
    /// A bit for each ticket of each word.
    words: Vec<u64>,
    /// The Fenwick tree: at `n - 1`, how many there are in the `n & -n` words that end with word `n - 1`.
    sums: Vec<u32>,
    count: u64,
    /// How many words hold no ticket any more.
    empty: usize,
}

impl Tickets {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds a ticket. False where it was there.
    pub(super) fn insert(&mut self, ticket: i64) -> bool {
        let (number, bit) = locate(ticket);
        let word = match self.find(number) {
            Ok(word) => word,
            Err(end) if end == self.words.len() => {
                self.numbers.push(number);
                self.words.push(0);
                self.sums.push(self.sum_of_a_new_word());
                self.empty += 1;
                end
            }
            Err(between) => {
                self.numbers.insert(between, number);
                self.words.insert(between, 0);
                self.empty += 1;
                self.rebuild();
                between
            }
        };
        if self.words[word] & bit != 0 {
            return false;
        }
        self.empty -= usize::from(self.words[word] == 0);
        self.words[word] |= bit;
        self.count += 1;
        self.each_sum_over(word, |sum| *sum += 1);
        true
    }

    /// Removes a ticket. False where it was not there.
    pub(super) fn remove(&mut self, ticket: i64) -> bool {
        let (number, bit) = locate(ticket);
        let Ok(word) = self.find(number) else { return false };
        if self.words[word] & bit == 0 {
            return false;
        }
        self.words[word] &= !bit;
        self.count -= 1;
        self.each_sum_over(word, |sum| *sum -= 1);
        if self.words[word] == 0 {
            self.empty += 1;
            self.forget_the_empty();
        }
        true
    }

    /// How many are below a ticket, which need not be there.
    pub(super) fn below(&self, ticket: i64) -> u64 {
        let (number, bit) = locate(ticket);
        let (words, of_its_word) = match self.find(number) {
            Ok(word) => (word, u64::from((self.words[word] & (bit - 1)).count_ones())),
            Err(words) => (words, 0),
        };
        let mut below = of_its_word;
        let mut n = words;
        while n > 0 {
            below += u64::from(self.sums[n - 1]);
            n &= n - 1;
        }
        below
    }

    /// The least one, found by descending the tree.
    pub(super) fn first(&self) -> Option<i64> {
        let mut before = 0;
        let mut step = self.sums.len().checked_ilog2().map_or(0, |log| 1usize << log);
        while step > 0 {
            if before + step <= self.sums.len() && self.sums[before + step - 1] == 0 {
                before += step;
            }
            step /= 2;
        }
        let word = self.words.get(before)?;
        Some(self.numbers[before] * WORD + i64::from(word.trailing_zeros()))
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.numbers.iter().zip(&self.words).flat_map(|(number, word)| {
            let bits = (0..WORD).filter(move |bit| word >> bit & 1 != 0);
            bits.map(move |bit| number * WORD + bit)
        })
    }

    /// The index of the word of this number, or the index where it would be. Most often it is the last.
    fn find(&self, number: i64) -> Result<usize, usize> {
        match self.numbers.last() {
            Some(last) if *last == number => Ok(self.numbers.len() - 1),
            Some(last) if *last < number => Err(self.numbers.len()),
            _ => self.numbers.binary_search(&number),
        }
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

    /// Drops the words without a ticket once they are more than half, so that each costs a bounded number of moves.
    fn forget_the_empty(&mut self) {
        if self.empty <= self.words.len() / 2 {
            return;
        }
        let kept = self.words.iter().zip(&self.numbers).filter(|(word, _)| **word != 0);
        (self.words, self.numbers) = kept.map(|(word, number)| (*word, *number)).unzip();
        self.empty = 0;
        self.rebuild();
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

/// The number of a ticket's word, and its bit there.
const fn locate(ticket: i64) -> (i64, u64) {
    (ticket.div_euclid(WORD), 1 << ticket.rem_euclid(WORD))
}

const fn lowest_bit(n: usize) -> usize {
    n & n.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_says_what_counting_says(
            steps in proptest::collection::vec((any::<bool>(), prop_oneof![-200i64..400, -40_000i64..80_000]), 1..300)
        ) {
            let (mut tickets, mut counted) = (Tickets::default(), BTreeSet::new());
            for (is_added, ticket) in steps {
                match is_added {
                    true => prop_assert_eq!(tickets.insert(ticket), counted.insert(ticket)),
                    false => prop_assert_eq!(tickets.remove(ticket), counted.remove(&ticket)),
                }
                prop_assert_eq!(tickets.count(), counted.len() as u64);
                prop_assert_eq!(tickets.first(), counted.first().copied());
                for asked in [ticket - 1, ticket, ticket + 1, ticket + 64, -300, 90_000] {
                    prop_assert_eq!(tickets.below(asked), counted.range(..asked).count() as u64);
                }
            }
            prop_assert!(tickets.iter().eq(counted.iter().copied()));
            // What comes first leaves first.
            while let Some(first) = counted.pop_first() {
                prop_assert!(tickets.remove(first));
                prop_assert_eq!(tickets.first(), counted.first().copied());
            }
        }
    }

    #[test]
    fn a_set_that_moves_on_stays_small() {
        let mut tickets = Tickets::default();
        for ticket in 0..1_000_000 {
            tickets.insert(ticket);
            tickets.remove(ticket - 1_000);
        }
        assert_eq!(tickets.count(), 1_000);
        assert!(tickets.words.len() <= 64, "{} words for 1,000", tickets.words.len());
    }

    #[test]
    fn a_set_with_one_old_ticket_stays_small() {
        let mut tickets = Tickets::default();
        tickets.insert(0);
        for ticket in 1..1_000_000 {
            tickets.insert(ticket);
            tickets.remove(ticket);
        }
        assert!(tickets.words.len() <= 64, "{} words for 1", tickets.words.len());
    }
}
