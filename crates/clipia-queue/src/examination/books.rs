//! The books: movements, accounts, keys, and what is charged for requests.

use super::{Account, Budget, Examination, Group, Key, Movement, Request, Rule};
use crate::ledger::Entries;
use crate::lifecycle::Phase;
use std::collections::HashMap;

impl Examination {
    /// Looks at a movement.
    pub fn movement(&mut self, of: &Movement<'_>) {
        let sum = of.entries.checked_sum();
        self.hold(Rule::MovementSumsToZero, sum == Some(0), Some(of.account), of.request, || {
            let sum = sum.map_or_else(|| "more than fits".to_owned(), |sum| sum.to_string());
            format!("a {} sums to {sum}", of.kind)
        });
    }

    /// Counts requests.
    pub fn requests(&mut self, of: &Group<'_>) {
        let add = |counts: &mut HashMap<String, i64>, of: &str, count: i64| {
            let counted = counts.entry(of.to_owned()).or_default();
            *counted = counted.saturating_add(count);
        };
        match (of.sandbox, of.phase.is_terminal()) {
            (true, _) => add(&mut self.sandbox, of.account, of.requests),
            (false, false) => {
                add(&mut self.reserved, of.account, of.cost);
                add(&mut self.in_flight, of.key, of.requests);
            }
            (false, true) => {}
        }
    }

    /// Looks at an account.
    pub fn account(&mut self, of: &Account<'_>) {
        let count = |counts: &HashMap<String, i64>| counts.get(of.id).copied().unwrap_or(0);
        let (reserved, sandbox) = (count(&self.reserved), count(&self.sandbox));
        let Account { id, available, held, entered, used, sandbox_kept } = *of;
        self.hold(
            Rule::BalanceIsSumOfEntries,
            (available, held) == (entered.available, entered.held),
            Some(id),
            None,
            || {
                let Entries { available: entered, held: reserved, .. } = entered;
                format!("available {available} and held {held}, by the entries {entered} and {reserved}")
            },
        );
        self.hold(Rule::HeldIsReserved, held == reserved, Some(id), None, || {
            format!("held {held}, reserved {reserved}")
        });
        self.hold(Rule::UsageIsEarned, used == entered.revenue, Some(id), None, || {
            format!("usage {used}, earned {}", entered.revenue)
        });
        self.hold(Rule::SandboxIsCounted, sandbox_kept == sandbox, Some(id), None, || {
            format!("{sandbox_kept} are counted, {sandbox} are kept")
        });
    }

    /// Looks at a key.
    pub fn key(&mut self, of: &Key<'_>) {
        let in_flight = self.in_flight.get(of.id).copied().unwrap_or(0);
        self.hold(Rule::InFlightIsCounted, of.in_flight == in_flight, Some(of.account), None, || {
            format!("key {}: counted {}, in flight {in_flight}", of.id, of.in_flight)
        });
        let Some(Budget { credits, spent, stored }) = of.budget else { return };
        // Less is stored where retention let requests go, or the system's clock was set back.
        self.hold(Rule::BudgetIsKept, (stored..=credits).contains(&spent), Some(of.account), None, || {
            format!(
                "key {}: spent {spent} of {credits}, and {stored} for the requests that are stored",
                of.id
            )
        });
    }

    pub(super) fn moves_nothing(&mut self, of: &Request<'_>) {
        let movement = of.reserve.or(of.settlement);
        self.hold(Rule::SandboxMovesNothing, movement.is_none(), Some(of.account), Some(of.id), || {
            format!("a {}", movement.map_or("movement", |movement| movement.kind))
        });
    }

    pub(super) fn settled(&mut self, of: &Request<'_>) {
        let (account, id) = (Some(of.account), Some(of.id));
        let (phase, has_ended, cost) = (of.phase.name(), of.phase.is_terminal(), of.cost);
        let (reserve, settlement) = (of.reserve, of.settlement);
        let settled_once = reserve.is_some() && settlement.is_some() == has_ended;
        self.hold(Rule::SettledOnce, settled_once, account, id, || {
            let (reserves, settlements) = (u8::from(reserve.is_some()), u8::from(settlement.is_some()));
            format!("{phase}, {reserves} reserves, {settlements} settlements")
        });
        for movement in [reserve, settlement].into_iter().flatten() {
            self.hold(Rule::MovementsOfOwnAccount, movement.account == of.account, account, id, || {
                format!("a {} is of account `{}`", movement.kind, movement.account)
            });
        }
        let reserved = reserve.map_or(0, |reserve| reserve.held);
        self.hold(Rule::ReserveIsPrice, reserved == cost, account, id, || {
            format!("reserved {reserved}, price {cost}")
        });
        if !has_ended {
            return;
        }
        let earned = settlement.map_or(0, |settlement| settlement.revenue);
        let taken = settlement.map_or(0, |settlement| settlement.held.saturating_neg());
        let is_earned = of.charged == Some(earned)
            && taken == cost
            && (0..=cost).contains(&earned)
            && (of.phase == Phase::Completed || earned == 0);
        self.hold(Rule::ChargeIsEarned, is_earned, account, id, || {
            let charged = of.charged.unwrap_or(0);
            format!(
                "{phase}, price {cost}, charged {charged}, earned {earned}, taken from the reserve {taken}"
            )
        });
    }
}
