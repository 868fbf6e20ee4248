//! What must hold of everything that is stored: the books, the lifecycle, the queues.
//!
//! A store gathers the facts, one kind after the other, and hands them to an [`Examination`]. That keeps the first of the
//! [rules](Rule) that is broken. The rules before it hold, and a rule may rely on those before it.

mod books;
mod facts;
mod queues;
mod rule;
#[cfg(test)]
mod tests;
mod uploads;
mod work;

pub use facts::*;
pub use rule::Rule;

use crate::position::Turn;
use crate::{AccountId, RequestId};
use std::collections::{HashMap, HashSet};

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The rule.
    pub rule: Rule,
    /// The account concerned.
    pub account: Option<AccountId>,
    /// The request concerned.
    pub request: Option<RequestId>,
    /// What there is, with figures.
    pub found: String,
}

/// Looks at facts, and keeps the first rule that is broken. The groups of requests come before the accounts and the keys;
/// otherwise any order will do.
#[derive(Debug, Default)]
pub struct Examination {
    breach: Option<Breach>,
    /// The reserves of an account's live requests that have not ended.
    reserved: HashMap<String, i64>,
    /// The requests of an account's sandbox.
    sandbox: HashMap<String, i64>,
    /// A key's live requests that have not ended.
    in_flight: HashMap<String, i64>,
    /// The turns of queues.
    turns: HashSet<(String, Turn)>,
}

impl Examination {
    /// Keeps a breach of `rule` unless it holds, or a rule before it is broken.
    fn hold(
        &mut self,
        rule: Rule,
        holds: bool,
        account: Option<&str>,
        request: Option<RequestId>,
        found: impl FnOnce() -> String,
    ) {
        if holds || self.breach.as_ref().is_some_and(|breach| breach.rule <= rule) {
            return;
        }
        let account = account.map(|account| AccountId(account.to_owned()));
        self.breach = Some(Breach { rule, account, request, found: found() });
    }

    /// The first rule that is broken, if one is.
    pub fn breach(self) -> Option<Breach> {
        self.breach
    }
}
