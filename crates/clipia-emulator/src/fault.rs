//! Faults on calls: `status 503 x5`, `submit drop x1`, `any slow=2s 10% after 10`.
//!
//! A rule is `OPERATION WHAT [xN] [N%] [after M]`. The operation is one of [`Operation`], or `any`.
//!
//! | what | the caller gets |
//! |---|---|
//! | `503`, `429 retry-after=2s`, `insufficient_credits` | this error; the server does not see the call |
//! | `slow=2s` | the response, so much later; the server has the call at once |
//! | `drop` | a reset connection after the server has done its work: the response is lost, a submit is not |
//! | `reset` | a reset connection; the server does not see the call |
//! | `empty` | the response without its body |
//! | `cut=100B` | the first 100 bytes of the body, then the end of the connection |
//! | `html` | a proxy's page, with 502; the server does not see the call |
//! | `hang` | no response |
//!
//! `after M` lets M calls pass first. `N%` applies to one call in so many, by a seed. `xN` ends the rule once it applied N times.
//! Each call has the first rule that applies; the rules behind it do not see the call. So `status 503 x2` and `status 429 x1` make
//! 503, 503, 429.

mod kind;
mod rule;

pub use kind::{Fault, FaultError};
pub use rule::{Calls, FaultRule, FaultRuleError};

use crate::Operation;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

/// The rules in their order, with what they have seen. The same rules, seed and calls make the same decisions.
///
/// ```
/// use clipia_emulator::{Fault, Faults, Operation};
///
/// let mut faults = Faults::new(7);
/// faults.add("status reset x1".parse()?);
/// assert_eq!(faults.decide(Operation::Submit), None);
/// assert_eq!(faults.decide(Operation::Status), Some(Fault::Reset));
/// assert_eq!(faults.decide(Operation::Status), None);
/// # Ok::<(), clipia_emulator::FaultRuleError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    seed: u64,
    /// How many rules were added since the start.
    added: u64,
    rules: Vec<Counted>,
}

/// A rule, and the calls that it has seen.
#[derive(Clone, Debug, Serialize)]
pub struct Counted {
    /// The number of the rule, from 1.
    pub number: u64,
    /// The rule.
    #[serde(flatten)]
    pub rule: FaultRule,
    /// How many calls it has seen.
    pub seen: u64,
    /// To how many calls it applied.
    pub applied: u64,
    #[serde(skip)]
    chance: Xoshiro256PlusPlus,
}

impl Faults {
    /// No rules.
    pub fn new(seed: u64) -> Self {
        Self { seed, added: 0, rules: Vec::new() }
    }

    /// Adds a rule behind the others. Returns its number.
    pub fn add(&mut self, rule: FaultRule) -> u64 {
        self.added += 1;
        // Each rule has chance of its own, so that another rule does not change what it does.
        let chance = Xoshiro256PlusPlus::seed_from_u64(self.seed.wrapping_add(self.added));
        self.rules.push(Counted { number: self.added, rule, seen: 0, applied: 0, chance });
        self.added
    }

    /// Removes a rule; returns whether there was one of this number.
    pub fn remove(&mut self, number: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|counted| counted.number != number);
        self.rules.len() < before
    }

    /// Removes all rules. The next one has the number 1 again.
    pub fn clear(&mut self) {
        *self = Self::new(self.seed);
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Counted] {
        &self.rules
    }

    /// The fault of the next call of an operation.
    pub fn decide(&mut self, operation: Operation) -> Option<Fault> {
        self.rules.iter_mut().find_map(|counted| counted.decide(operation))
    }
}

impl Counted {
    fn decide(&mut self, operation: Operation) -> Option<Fault> {
        let FaultRule { calls, fault, times, percent, after } = &self.rule;
        if !calls.has(operation) || times.is_some_and(|times| self.applied >= u64::from(times)) {
            return None;
        }
        self.seen += 1;
        if self.seen <= u64::from(*after) {
            return None;
        }
        if percent.is_some_and(|percent| self.chance.random_range(0..100_u8) >= percent) {
            return None;
        }
        self.applied += 1;
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn faults(seed: u64, rules: &[&str]) -> Faults {
        let mut faults = Faults::new(seed);
        for rule in rules {
            faults.add(rule.parse().unwrap());
        }
        faults
    }

    /// What so many calls of an operation get: `-` for nothing.
    fn decided(faults: &mut Faults, operation: Operation, calls: usize) -> String {
        let decide = |_| faults.decide(operation).map_or("-".to_owned(), |fault| fault.to_string());
        (0..calls).map(decide).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn rules_apply_one_after_the_other() {
        let mut faults = faults(0, &["status 503 x2", "any reset x1 after 1", "status html x1"]);
        assert_eq!(decided(&mut faults, Operation::Status, 6), "503 503 html reset - -");
        assert_eq!(faults.rules()[0].applied, 2);
        assert!(faults.remove(1) && !faults.remove(1));
        faults.clear();
        assert_eq!(faults.add("any hang".parse().unwrap()), 1);
    }

    #[test]
    fn a_chance_is_the_same_for_the_same_seed_and_about_as_likely_as_said() {
        let of = |seed, rules| decided(&mut faults(seed, rules), Operation::Result, 10_000);
        assert_eq!(of(7, &["any 500 10%"]), of(7, &["any 500 10%"]));
        assert_ne!(of(7, &["any 500 10%"]), of(8, &["any 500 10%"]));
        let applied = of(7, &["any 500 10%"]).matches("500").count();
        assert!((850..1_150).contains(&applied), "{applied}");
        assert_eq!(of(7, &["any 500 100% x3"]).matches("500").count(), 3);
        // A rule of other calls changes nothing.
        assert_eq!(of(7, &["any 500 10%"]), of(7, &["any 500 10%", "submit reset"]));
    }

    proptest! {
        #[test]
        fn a_rule_applies_as_often_as_it_says(times in 0..20_u32, after in 0..20_u32, calls in 0..60_usize) {
            let rule = FaultRule { times: Some(times), after, ..FaultRule::new(Calls::Any, Fault::Drop) };
            let mut faults = Faults::new(0);
            faults.add(rule);
            let applied = (0..calls).filter(|_| faults.decide(Operation::Account).is_some()).count();
            prop_assert_eq!(applied, calls.saturating_sub(after as usize).min(times as usize));
        }
    }
}
