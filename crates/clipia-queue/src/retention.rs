//! How long a request is kept that has ended, and what of it may be let go at a moment.
//!
//! A request and its parts (the media, the input, the attempts) each have a time of their own. It begins when nothing more
//! comes of the request: it has ended, and its delivery, if it has one, has arrived or was given up.

use crate::deliveries::StoredDelivery;
use crate::ledger::Entries;
use crate::lifecycle::Phase;
use crate::{Moment, RequestId, idempotency, ids, ledger};
use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How much longer than its idempotency record a request is kept: a repeated submit that found the record must find the
/// request, however long the submit waited for the writer.
const IDEMPOTENCY_SLACK: Duration = Duration::from_secs(60 * 60);

/// The longest and the shortest pause between two looks at what is due.
const PAUSE_MAX: Duration = Duration::from_secs(60);
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// Where requests are kept for so long or longer, a store that keeps months apart removes them by whole months: they stay for about
/// half as long again at most.
const BY_MONTH_FROM: Keep = Keep::days(60);

/// How long the other requests of a month wait for those that stay longer. Then each is removed alone.
const MONTH_WAITS: Duration = Duration::from_secs(7 * DAY);

/// A time is this many pauses: what is due waits for a fraction of its time at most.
const PAUSES: u32 = 10;

/// Unused pages that a store keeps for what is written next: at least 1 MiB of them, and up to an eighth of the used ones.
const SPARE_PAGES_MIN: u64 = 256;
const SPARE_SHARE: u64 = 8;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long something is kept.
///
/// ```
/// use clipia_queue::retention::Keep;
///
/// let keep: Keep = "36h".parse().unwrap();
/// assert_eq!(keep, Keep::For(std::time::Duration::from_secs(36 * 60 * 60)));
/// assert_eq!("forever".parse(), Ok(Keep::Forever));
/// assert!("30".parse::<Keep>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    /// For so long, in whole seconds.
    For(Duration),
    /// Until an operator removes the store.
    Forever,
}

impl Keep {
    /// For so many days.
    pub const fn days(days: u64) -> Self {
        Self::For(Duration::from_secs(days * DAY))
    }

    /// What ended at this moment or before has had its time at `now`; nothing where that never comes.
    fn horizon(self, now: Moment) -> Option<Moment> {
        match self {
            Self::For(time) => Some(now - time),
            Self::Forever => None,
        }
    }
}

/// A text that is no time for which something can be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time to keep something for: write a number and its unit, such as \"30d\", \"12h\" or \"45s\", or \"forever\""
)]
pub struct KeepInvalid(String);

impl FromStr for Keep {
    type Err = KeepInvalid;

    fn from_str(text: &str) -> Result<Self, KeepInvalid> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let invalid = || KeepInvalid(text.to_owned());
        // A month or a year has no fixed length, and is refused here.
        let span: Span = text.parse().map_err(|_| invalid())?;
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
        match Duration::try_from(length) {
            Ok(time) if time >= Duration::from_secs(1) && time.subsec_nanos() == 0 => Ok(Self::For(time)),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::For(time) = self else { return f.write_str("forever") };
        let seconds = time.as_secs();
        let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1, "s")];
        let (length, unit) =
            units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length)).unwrap_or((1, "s"));
        write!(f, "{}{unit}", seconds / length)
    }
}

impl TryFrom<String> for Keep {
    type Error = KeepInvalid;

    fn try_from(text: String) -> Result<Self, KeepInvalid> {
        text.parse()
    }
}

impl From<Keep> for String {
    fn from(keep: Keep) -> Self {
        keep.to_string()
    }
}

/// What of a request is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The files that it made.
    Media,
    /// What was submitted.
    Input,
    /// The attempts of workers at it with what they logged, and those at its delivery.
    Attempts,
    /// All of it. Its media go before.
    Request,
}

impl Part {
    /// Its name, in metrics and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::Input => "input",
            Self::Attempts => "attempts",
            Self::Request => "request",
        }
    }
}

/// How long each part is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    requests: Keep,
    media: Keep,
    inputs: Keep,
    attempts: Keep,
}

/// What is known of a request that may be let go.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// When it was submitted.
    pub submitted: Moment,
    /// When it ended, if it has.
    pub ended: Option<Moment>,
    /// Whether an idempotency record names it.
    pub named: bool,
    /// Its delivery.
    pub delivery: Delivery,
}

/// A request as it is stored, as far as letting go of it needs.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its id.
    pub id: RequestId,
    /// Whether it is of the sandbox.
    pub sandbox: bool,
    /// Its phase.
    pub phase: Phase,
    /// When it ended, by the system's clock.
    pub completed_at: Option<Moment>,
    /// Whether an idempotency record names it.
    pub named: bool,
    /// Whether its media were let go.
    pub media_gone: bool,
    /// Whether its input was let go.
    pub input_gone: bool,
    /// Whether the attempts at it and at its delivery were let go.
    pub attempts_gone: bool,
    /// Its delivery.
    pub delivery: Option<StoredDelivery>,
}

impl Candidate {
    /// Whether the request has the part, or may still get it. In the sandbox no file and no input is a request's own.
    pub const fn has(&self, part: Part) -> bool {
        match part {
            Part::Media => {
                !self.sandbox && !self.media_gone && (self.phase.has_output() || !self.phase.is_terminal())
            }
            Part::Input => !self.sandbox && !self.input_gone,
            Part::Attempts => !self.attempts_gone,
            Part::Request => true,
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            submitted: self.id.made_at().unwrap_or_default(),
            ended: self.completed_at.filter(|_| self.phase.is_terminal()),
            named: self.named,
            delivery: Delivery::of(self.delivery.as_ref()),
        }
    }
}

/// What becomes of a part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing: the request has no such part, or none any more.
    Nothing,
    /// It may be let go.
    Due,
    /// It stays until nothing more comes of the request.
    Late,
}

/// What becomes of `part` of a request at `horizon`.
pub fn look(part: Part, horizon: &Horizon, request: &Candidate) -> Look {
    match request.has(part) {
        false => Look::Nothing,
        true if horizon.admits(&request.facts()) => Look::Due,
        true => Look::Late,
    }
}

/// The output of a request whose media must be kept: nothing once they were let go.
pub fn kept_output<T>(output: Option<T>, expired_at: Option<Moment>) -> Option<T> {
    output.filter(|_| expired_at.is_none())
}

/// What is known of a request's delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// There is none.
    None,
    /// It may still be sent: it is pending, postponed, held, under way, or an operator asked for it.
    Open,
    /// It arrived or was given up at this moment.
    Settled(Moment),
}

impl Delivery {
    /// What is known of a delivery by its row.
    pub fn of(delivery: Option<&StoredDelivery>) -> Self {
        let Some(delivery) = delivery else { return Self::None };
        let is_over = delivery.state.is_settled()
            && delivery.next_at().is_none()
            && delivery.claimed_until.is_none()
            && !delivery.postponed;
        delivery.settled_at.filter(|_| is_over).map_or(Self::Open, Self::Settled)
    }
}

/// The moments up to which a part has had its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Of most requests.
    pub ended: Moment,
    /// Of requests that an idempotency record names.
    pub named: Moment,
}

impl Horizon {
    /// The moment up to which a request has had its time.
    pub const fn of(&self, named: bool) -> Moment {
        if named { self.named } else { self.ended }
    }

    /// The highest id that a request can have of which this looks at most. Of later ones none has had its time.
    pub fn last(&self) -> RequestId {
        RequestId(ids::last_before(self.ended))
    }

    /// The same for a month that waited for those of it that stay longer: its requests are removed one by one.
    pub fn last_that_waited(&self) -> RequestId {
        RequestId(ids::last_before(self.ended - MONTH_WAITS))
    }

    /// Whether the part of a request of which these are the facts may be let go.
    pub fn admits(&self, facts: &Facts) -> bool {
        let settled = match facts.delivery {
            Delivery::None => None,
            Delivery::Open => return false,
            Delivery::Settled(at) => Some(at),
        };
        // The end is by the system's clock, which may have been behind. A submit's id is by the steady clock.
        facts.ended.is_some_and(|ended| {
            ended.max(facts.submitted).max(settled.unwrap_or(ended)) <= self.of(facts.named)
        })
    }
}

impl Retention {
    /// A part is let go with its request at the latest.
    pub fn new(requests: Keep, media: Keep, inputs: Keep, attempts: Keep) -> Self {
        Self {
            requests,
            media: media.min(requests),
            inputs: inputs.min(requests),
            attempts: attempts.min(requests),
        }
    }

    /// How long a part is kept.
    pub const fn of(&self, part: Part) -> Keep {
        match part {
            Part::Media => self.media,
            Part::Input => self.inputs,
            Part::Attempts => self.attempts,
            Part::Request => self.requests,
        }
    }

    /// Whether requests are removed by whole months where a store keeps months apart. The parts that are kept as long as the requests
    /// go with them then.
    ///
    /// ```
    /// use clipia_queue::retention::{Keep, Retention};
    ///
    /// let retention = |days| Retention::new(Keep::days(days), Keep::days(30), Keep::days(90), Keep::days(90));
    /// assert!(retention(90).goes_by_month());
    /// assert!(!retention(45).goes_by_month());
    /// ```
    pub fn goes_by_month(&self) -> bool {
        self.requests >= BY_MONTH_FROM
    }

    /// Whether a part goes with the month of its request. The media never do: their files are not in the store.
    pub fn goes_with_month(&self, part: Part) -> bool {
        self.goes_by_month()
            && match part {
                Part::Media | Part::Request => false,
                Part::Input | Part::Attempts => self.of(part) == self.requests,
            }
    }

    /// Up to when a part has had its time at `now`; nothing where it is kept forever.
    pub fn horizon(&self, part: Part, now: Moment) -> Option<Horizon> {
        let ended = self.of(part).horizon(now)?;
        let named = match part {
            // A repeated submit is answered with the request, and must not be charged again.
            Part::Request => ended.min(now - idempotency::KEPT - IDEMPOTENCY_SLACK),
            Part::Media | Part::Input | Part::Attempts => ended,
        };
        Some(Horizon { ended, named })
    }

    /// How long to rest between two looks at what is due.
    pub fn pause(&self) -> Duration {
        let shortest = self.requests.min(self.media).min(self.inputs).min(self.attempts);
        match shortest {
            Keep::For(time) => (time / PAUSES).clamp(PAUSE_MIN, PAUSE_MAX),
            Keep::Forever => PAUSE_MAX,
        }
    }
}

/// The opening movement of an account once these entries are condensed into it, too: what they sum to is carried forward.
///
/// # Errors
/// [`ledger::Unsummed`] where a book cannot bear the sum. Nothing may be condensed then.
pub fn carry_forward(opening: Entries, condensed: &[Entries]) -> Result<Entries, ledger::Unsummed> {
    condensed.iter().try_fold(opening, |sum, entries| sum.checked_add(*entries))
}

/// How many of a store's pages are to be given back to the system, where it has so many, and so many of them unused. Some
/// stay: what is written next would only ask for them again.
pub fn pages_to_give_back(pages: u64, unused: u64) -> u64 {
    let spare = (pages.saturating_sub(unused) / SPARE_SHARE).max(SPARE_PAGES_MIN);
    // Only where it is worth the while.
    if unused > spare + spare / 2 { unused - spare } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_time_is_a_number_and_its_unit() {
        for (text, seconds, shown) in [
            ("30d", 30 * DAY, "30d"),
            ("2w", 14 * DAY, "14d"),
            ("48h", 2 * DAY, "2d"),
            ("36h", 36 * HOUR, "36h"),
            ("90 minutes", 90 * MINUTE, "90m"),
            ("1d 12h", 36 * HOUR, "36h"),
            ("45s", 45, "45s"),
        ] {
            let keep: Keep = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((keep, keep.to_string().as_str()), (Keep::For(Duration::from_secs(seconds)), shown));
        }
        assert_eq!("forever".parse::<Keep>().map(|keep| keep.to_string()), Ok("forever".to_owned()));
        for text in ["", "30", "0s", "-3d", "500ms", "1mo", "1y", "never", "1d1", "99999999999999999999d"] {
            let error = text.parse::<Keep>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}` is no time")), "{error}");
        }
    }

    #[test]
    fn a_part_has_had_its_time_when_nothing_more_came_of_its_request_for_so_long() {
        use Delivery::{None, Open, Settled};
        let hours = |hours| Keep::For(Duration::from_secs(hours * HOUR));
        let retention = Retention::new(hours(100), hours(10), hours(200), Keep::Forever);
        let now = at(1_000 * HOUR);
        for (part, submitted, ended, named, delivery, due) in [
            (Part::Media, 980, Some(990), false, None, true),
            (Part::Media, 980, Some(991), false, None, false),
            // The clock was behind at the end.
            (Part::Media, 995, Some(3), false, None, false),
            (Part::Media, 980, Some(985), true, None, true),
            (Part::Media, 980, Option::None, false, None, false),
            (Part::Media, 900, Some(900), false, Open, false),
            (Part::Media, 900, Some(900), false, Settled(at(991 * HOUR)), false),
            (Part::Media, 900, Some(900), false, Settled(at(990 * HOUR)), true),
            // With its request at the latest.
            (Part::Input, 899, Some(900), false, None, true),
            (Part::Attempts, 899, Some(900), false, None, true),
            (Part::Attempts, 899, Some(901), false, None, false),
            (Part::Request, 899, Some(900), true, None, true),
        ] {
            let ended = ended.map(|ended| at(ended * HOUR));
            let facts = Facts { submitted: at(submitted * HOUR), ended, named, delivery };
            let horizon = retention.horizon(part, now).unwrap();
            assert_eq!(horizon.admits(&facts), due, "{part:?} {facts:?}");
        }
        let forever = Retention::new(Keep::Forever, hours(1), Keep::Forever, Keep::Forever);
        assert!(forever.horizon(Part::Request, now).is_none() && forever.horizon(Part::Media, now).is_some());
    }

    #[test]
    fn what_is_kept_as_long_as_its_request_goes_with_its_month() {
        use Part::{Attempts, Input, Media, Request};
        let (short, long) = (Keep::days(59), Keep::days(60));
        let with_month = |requests, inputs| {
            let retention = Retention::new(requests, Keep::Forever, inputs, Keep::Forever);
            [Media, Input, Attempts, Request].map(|part| retention.goes_with_month(part))
        };
        assert_eq!(with_month(long, long), [false, true, true, false]);
        assert_eq!(with_month(long, short), [false, false, true, false]);
        assert_eq!(with_month(short, short), [false; 4]);
        let horizon = Horizon { ended: at(30 * DAY), named: at(30 * DAY) };
        assert_eq!(
            ids::made(horizon.last().0).map(|made| made.as_micros() / 1_000),
            Some(30 * 86_400_000 - 1)
        );
        assert_eq!(ids::after(horizon.last_that_waited().0), Some(at(23 * DAY)));
    }

    #[test]
    fn a_part_is_let_go_once_and_only_where_there_is_one() {
        use Look::{Due, Late, Nothing};
        const PARTS: [Part; 4] = [Part::Media, Part::Input, Part::Attempts, Part::Request];
        let hour = Keep::For(Duration::from_secs(HOUR));
        let retention = Retention::new(hour, hour, hour, hour);
        let live = Candidate {
            id: RequestId(ids::new(at(HOUR))),
            sandbox: false,
            phase: Phase::Completed,
            completed_at: Some(at(2 * HOUR)),
            named: false,
            media_gone: false,
            input_gone: false,
            attempts_gone: false,
            delivery: None,
        };
        let pending = Some(StoredDelivery::new(at(2 * HOUR)));
        for (request, looks) in [
            (live, [Due, Due, Due, Due]),
            (Candidate { sandbox: true, ..live }, [Nothing, Nothing, Due, Due]),
            (Candidate { phase: Phase::Failed, ..live }, [Nothing, Due, Due, Due]),
            (Candidate { media_gone: true, ..live }, [Nothing, Due, Due, Due]),
            (Candidate { input_gone: true, ..live }, [Due, Nothing, Due, Due]),
            (Candidate { attempts_gone: true, ..live }, [Due, Due, Nothing, Due]),
            (Candidate { phase: Phase::Running, completed_at: None, ..live }, [Late; 4]),
            (Candidate { phase: Phase::Queued, completed_at: None, ..live }, [Late; 4]),
            (Candidate { delivery: pending, ..live }, [Late; 4]),
            (Candidate { named: true, ..live }, [Due, Due, Due, Late]),
        ] {
            let found =
                PARTS.map(|part| look(part, &retention.horizon(part, at(3 * HOUR)).unwrap(), &request));
            assert_eq!(found, looks, "{request:?}");
        }
        assert_eq!(kept_output(Some(1), None), Some(1));
        assert_eq!(kept_output(Some(1), Some(at(1))), None);
    }

    #[test]
    fn one_that_an_idempotency_key_finds_outlives_the_key() {
        let second = Keep::For(Duration::from_secs(1));
        let horizon =
            Retention::new(second, second, second, second).horizon(Part::Request, at(40 * HOUR)).unwrap();
        for (ended, named, due) in
            [(39, false, true), (39, true, false), (16, true, false), (15, true, true), (10, true, true)]
        {
            let ended = at(ended * HOUR);
            let facts = Facts { submitted: ended, ended: Some(ended), named, delivery: Delivery::None };
            assert_eq!(horizon.admits(&facts), due, "{facts:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_goes_before_its_time(
            times in prop::array::uniform4(1u64..200),
            (submitted, ended, settled) in (0u64..300, prop::option::of(0u64..300), prop::option::of(0u64..300)),
            (named, open, now) in (any::<bool>(), any::<bool>(), 0u64..600),
        ) {
            let [requests, media, inputs, attempts] = times.map(|hours| Keep::For(Duration::from_secs(hours * HOUR)));
            let retention = Retention::new(requests, media, inputs, attempts);
            let delivery = match settled {
                _ if open => Delivery::Open,
                Some(settled) => Delivery::Settled(at(settled * HOUR)),
                None => Delivery::None,
            };
            let facts =
                Facts { submitted: at(submitted * HOUR), ended: ended.map(|ended| at(ended * HOUR)), named, delivery };
            let due = |part| retention.horizon(part, at(now * HOUR)).unwrap().admits(&facts);
            for (part, hours) in [Part::Request, Part::Media, Part::Input, Part::Attempts].into_iter().zip(times) {
                if due(part) {
                    prop_assert!(!open);
                    let last = ended.unwrap().max(submitted).max(settled.unwrap_or(0));
                    prop_assert!(last + hours.min(times[0]) <= now);
                    prop_assert!(part != Part::Request || !named || last + 25 <= now);
                }
                // No part outlives its request.
                prop_assert!(due(part) || !due(Part::Request));
            }
        }

        #[test]
        fn what_is_carried_forward_sums_to_zero(spent in prop::collection::vec((0u64..1_000, any::<bool>()), 0..50)) {
            use crate::Credits;
            use crate::ledger::Movement;
            let condensed: Vec<Entries> = spent
                .iter()
                .flat_map(|(cost, charged)| {
                    let cost = Credits::new(*cost);
                    let end = match charged {
                        true => Movement::Capture { reserved: cost, charged: cost },
                        false => Movement::Release(cost),
                    };
                    [Movement::Reserve(cost).entries(), end.entries()]
                })
                .collect();
            let opening = carry_forward(Entries::default(), &condensed).unwrap();
            let charged: u64 = spent.iter().filter(|(_, charged)| *charged).map(|(cost, _)| cost).sum();
            prop_assert_eq!((opening.sum(), opening.held, opening.issuance), (0, 0, 0));
            prop_assert_eq!(opening.revenue, charged as i64);
        }
    }

    #[test]
    fn space_is_given_back_where_there_is_much_of_it() {
        for (pages, unused, given_back) in [
            (0, 0, 0),
            (1_000, 256, 0),
            (1_000, 384, 0),
            (1_000, 385, 129),
            (100_000, 0, 0),
            (100_000, 10_000, 0),
            (100_000, 50_000, 43_750),
        ] {
            assert_eq!(pages_to_give_back(pages, unused), given_back, "{unused} of {pages}");
        }
        let seconds = |seconds| Keep::For(Duration::from_secs(seconds));
        for (media, pause) in [(Keep::days(30), 60_000), (seconds(45), 4_500), (seconds(2), 500)] {
            let retention = Retention::new(Keep::Forever, media, Keep::Forever, Keep::Forever);
            assert_eq!(retention.pause().as_millis(), pause);
        }
    }
}
