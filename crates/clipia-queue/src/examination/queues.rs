//! The queues, and the records of idempotency keys.

use super::{AccountInQueue, Examination, IdempotencyRecord, Place, Rule};
use crate::Moment;
use crate::idempotency::is_kept;
use crate::lifecycle::Phase;
use crate::position::Lane;

impl Examination {
    /// Looks at a place in a queue.
    pub fn place(&mut self, of: &Place<'_>) {
        let is_its_own = of.request.is_some_and(|request| {
            request.phase == Phase::Queued
                && request.queue == of.queue
                && request.ticket == of.ticket
                && Lane::after(request.epoch) == of.lane
        });
        let was_drawn = of.tail.is_some_and(|tail| of.ticket <= tail);
        let account = of.request.map(|request| request.account);
        self.hold(Rule::PlaceHasQueued, is_its_own && was_drawn, account, Some(of.id), || {
            format!(
                "{}, {:?}, ticket {} of queue `{}`, whose latest is {}",
                of.request.map_or("no such request", |request| request.phase.name()),
                of.lane,
                of.ticket.0,
                of.queue,
                of.tail.map_or_else(|| "none".to_owned(), |tail| tail.0.to_string()),
            )
        });
    }

    /// Looks at an account that waits in a queue, or has a turn there.
    pub fn account_in_queue(&mut self, of: &AccountInQueue<'_>) {
        let is_its_own = of.turn.is_none_or(|turn| self.turns.insert((of.queue.to_owned(), turn)));
        let holds = is_its_own && of.turn.is_some() == of.waits;
        self.hold(Rule::WaitingHasTurn, holds, Some(of.account), None, || {
            let turn = of.turn.map_or_else(|| "no turn".to_owned(), |turn| format!("turn {}", turn.0));
            let shared = if is_its_own { "" } else { ", as another account has" };
            let waits = if of.waits { "a new request waits" } else { "no new request waits" };
            format!("queue `{}`: {turn}{shared}, {waits}", of.queue)
        });
    }

    /// Looks at the record of an idempotency key at `now`, by the steady clock.
    pub fn idempotency_record(&mut self, of: &IdempotencyRecord<'_>, now: Moment) {
        let may_miss = of.sandbox || !is_kept(of.expires_at, now);
        let finds = of.request == Some((of.account, of.sandbox));
        self.hold(Rule::KeyFindsRequest, may_miss || finds, Some(of.account), Some(of.id), || {
            "no such request of that account".to_owned()
        });
    }
}
