//! The lifecycle: what runs, what was attempted, what was logged, and what has ended.

use super::{Attempts, Examination, Log, Request, Rule, WorkerAttempts};
use crate::leases::AttemptEnd;
use crate::lifecycle::Phase;
use crate::logs::{self, LogFigures};
use crate::position::Lane;

impl Examination {
    /// Looks at a request.
    pub fn request(&mut self, of: &Request<'_>) {
        match of.sandbox {
            true => self.moves_nothing(of),
            false => self.settled(of),
        }
        self.waits_or_runs(of);
        self.has_ended(of);
    }

    fn waits_or_runs(&mut self, of: &Request<'_>) {
        let (account, id, phase) = (Some(of.account), Some(of.id), of.phase.name());
        let has_place = match Lane::after(of.epoch) {
            Lane::Requeued => of.places[0],
            Lane::New => of.places[1],
        };
        let is_queued = of.phase == Phase::Queued;
        self.hold(Rule::QueuedHasPlace, !is_queued || has_place, account, id, || {
            format!("queued with ticket {} of queue `{}`, not found there", of.ticket.0, of.queue)
        });
        let runs = of.phase == Phase::Running;
        self.hold(Rule::RunningHasLease, of.lease == runs, account, id, || {
            format!("{phase}, {}", if of.lease { "a lease" } else { "no lease" })
        });
        let Some(Attempts { ended, lost, latest }) = of.attempts else { return };
        let claims = of.epoch.0;
        self.hold(Rule::ClaimsEnded, ended == claims - i64::from(runs), account, id, || {
            format!("{phase}, {claims} claims, {ended} ended")
        });
        // The last loss ends the request, and is no rescue.
        let given_up = of.phase == Phase::Failed && latest == Some(AttemptEnd::Lost);
        self.hold(Rule::LostIsRescued, of.rescues == lost - i64::from(given_up), account, id, || {
            format!("{phase}, rescued {} times, lost {lost} times", of.rescues)
        });
    }

    /// Looks at the log of an attempt.
    pub fn log(&mut self, of: &Log<'_>) {
        let is_of_attempt =
            of.epoch.0 > 0 && of.epoch <= of.logged && of.logged <= of.latest && !of.attempts_gone;
        let is_over = LogFigures { logged: 0, lines: of.lines, bytes: of.bytes }.is_over();
        let oldest = of.logged.0 - logs::ATTEMPTS_MAX;
        let holds = is_of_attempt && !is_over && of.epoch.0 > oldest;
        self.hold(Rule::LogIsOfAttempt, holds, Some(of.account), Some(of.id), || {
            format!(
                "{} lines of {} bytes of attempt {}, latest logged {}, latest claim {}, attempts {}",
                of.lines,
                of.bytes,
                of.epoch.0,
                of.logged.0,
                of.latest.0,
                if of.attempts_gone { "let go" } else { "kept" },
            )
        });
    }

    fn has_ended(&mut self, of: &Request<'_>) {
        let (account, id, phase) = (Some(of.account), Some(of.id), of.phase.name());
        let has_ended = of.phase.is_terminal();
        let is_whole = of.completed_at == has_ended
            && of.charged.is_some() == has_ended
            && of.output == of.phase.has_output()
            && of.error == (of.phase == Phase::Failed);
        self.hold(Rule::EndIsWhole, is_whole, account, id, || {
            let set = |is_set| if is_set { "set" } else { "missing" };
            format!(
                "{phase}, completed_at {}, charged {}, {}, {}",
                set(of.completed_at),
                set(of.charged.is_some()),
                if of.output { "an output" } else { "no output" },
                if of.error { "an error" } else { "no error" },
            )
        });
        self.hold(Rule::EndIsDelivered, of.delivery == (of.webhook && has_ended), account, id, || {
            format!("{phase}, {}", if of.delivery { "a delivery" } else { "no delivery" })
        });
    }

    /// Looks at what a worker on another machine has and had.
    pub fn worker_attempts(&mut self, of: &WorkerAttempts<'_>) {
        let holds = match of.in_force {
            Some(true) => true,
            // Revoking ends its leases.
            Some(false) => of.leases == 0,
            None => false,
        };
        self.hold(Rule::WorkerIsKnown, holds, None, Some(of.id), || {
            let state = if of.in_force.is_some() { "is revoked" } else { "is unknown" };
            format!("worker `{}` {state}, with {} leases and {} attempts", of.worker, of.leases, of.attempts)
        });
    }
}
