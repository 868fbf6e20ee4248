//! What any store must do: the promises of the trait [`Store`], one module a subject. A store runs all of them by one line,
//! `clipia_store::conformance!(open)`, where `open` makes an empty store with the clock that it is given. Where that cannot be on every
//! machine, `open` returns an option. After each promise an examination must find nothing.
//! The crate that runs them has `tokio` with `macros` among the dependencies of its tests.

#![allow(clippy::unwrap_used, clippy::expect_used)] // test code: a failed expectation stops the test
#![allow(missing_docs)] // the name of a test says what it tests

pub mod accounts;
pub mod concurrency;
pub mod credits;
pub mod deliveries;
pub mod events;
pub mod key_budgets;
pub mod keys;
pub mod leases;
pub mod listing;
pub mod logs;
pub mod minutes;
pub mod outbox;
mod outbox_account;
pub mod queue;
mod reference;
pub mod retention;
pub mod search;
pub mod sequences;
pub mod terms;
pub mod uploads;
pub mod workers;

use crate::{
    AccountId, Bootstrapped, Claim, FirstAccount, Key, KeyHash, NewAccount, NewKey, NodeId, Request, Rescued,
    Scopes, Store, Submission,
};
pub use outbox_account::{Outbox, SECRET, account as outbox_account, owner as outbox_owner};

use crate::clock::{Clock, DrivenClock};
use crate::living::LivingAttempts;
use clipia_queue::leases::SILENCE_MAX;
use clipia_queue::limits::KeyLimits;
use clipia_queue::{Credits, Moment, RequestId};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use uuid::Uuid;

pub const NOW: Moment = Moment::from_micros(1_700_000_000_000_000);

/// The process of the workers and senders.
pub const NODE: NodeId = NodeId(Uuid::from_u128(1));

/// How long one attempt at [`fox`] may take.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(600);

/// A store, and what must outlive it, such as its directory.
pub type Opened = (Arc<dyn Store>, Box<dyn Any + Send + Sync>);

/// A store with one account of 100 credits and its key.
pub struct Fixture {
    pub store: Arc<dyn Store>,
    /// The store's clock, which is at [`NOW`] until a test moves it.
    pub clock: Arc<DrivenClock>,
    /// What must outlive the store, such as its directory.
    _kept: Box<dyn Any + Send + Sync>,
}

pub fn account() -> AccountId {
    AccountId("acct_test".to_owned())
}

/// The account of [`Fixture::create_other_account`].
pub fn other_account() -> AccountId {
    AccountId("acct_other".to_owned())
}

/// The first account of the fixture.
pub fn first() -> FirstAccount {
    let account =
        NewAccount { id: account(), webhook_secret: "whsec_1".to_owned(), grant: Credits::new(100) };
    FirstAccount { account, keys: vec![new_key(key(), 7)] }
}

pub fn key() -> Key {
    Key {
        id: "key_1".to_owned(),
        account: account(),
        hint: "…".to_owned(),
        sandbox: false,
        scopes: Scopes { generate: true },
        limits: KeyLimits { in_flight_max: Some(0), ..KeyLimits::default() },
    }
}

/// A new id of `at`. Ids made later sort later. They are counted, since the generator of the rules never goes back, not even
/// between the tests of one process.
pub fn id_at(at: Moment) -> RequestId {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let mut tail = [0; 10];
    tail[2..].copy_from_slice(&MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let millis = at.as_micros().unsigned_abs() / 1_000;
    RequestId(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
}

/// A submit that costs 12 credits and wants a delivery.
pub fn fox() -> Submission {
    Submission {
        id: id_at(NOW),
        key: Arc::new(key()),
        idempotency: None,
        model: "nano-banana-2".to_owned(),
        queue: "render".to_owned(),
        attempt_max: ATTEMPT_MAX,
        input: Default::default(),
        elsewhere: false,
        uploads: Vec::new(),
        warnings: Vec::new(),
        cost: Credits::new(12),
        webhook_url: Some("https://example.com/hook".to_owned()),
        base_url: "http://here".to_owned(),
        sample: None,
    }
}

pub fn new_key(key: Key, hash: u8) -> NewKey {
    let Key { id, account, hint, sandbox, scopes, limits } = key;
    NewKey { id, account, hash: KeyHash([hash; 32]), hint, sandbox, scopes, limits }
}

impl Fixture {
    pub async fn new(open: impl FnOnce(Arc<dyn Clock>) -> Opened) -> Self {
        Self::opened(open).await.unwrap()
    }

    /// The same; nothing where `open` has no store on this machine, and has said why.
    pub async fn opened<O: Into<Option<Opened>>>(open: impl FnOnce(Arc<dyn Clock>) -> O) -> Option<Self> {
        let clock = Arc::new(DrivenClock::new(NOW));
        let (store, kept) = open(clock.clone()).into()?;
        assert_eq!(store.bootstrap(first()).await.unwrap(), Bootstrapped::Created);
        Some(Self { store, clock, _kept: kept })
    }

    /// The store, with its clock set to `at`.
    pub fn at(&self, at: Moment) -> &dyn Store {
        self.clock.set(at);
        self.store.as_ref()
    }

    /// Gives the account as much as a test could spend.
    pub async fn rich(&self) {
        self.store.grant(&account(), Credits::new(1_000_000)).await.unwrap();
    }

    /// Creates another account.
    pub async fn create_other_account(&self, grant: Credits) {
        let account = NewAccount { id: other_account(), webhook_secret: "whsec_2".to_owned(), grant };
        assert!(self.store.create_account(account).await.unwrap());
    }

    pub async fn submit(&self, submission: Submission) -> RequestId {
        self.store.submit(submission).await.unwrap().id
    }

    pub async fn claim(&self) -> Claim {
        self.next("render").await.unwrap()
    }

    /// The first request of `queue`, claimed.
    pub async fn next(&self, queue: &str) -> Option<Claim> {
        self.store.claim(queue, NODE, 1).await.unwrap().pop()
    }

    /// No worker beats until its lease expires.
    pub async fn lose(&self) -> Rescued {
        self.clock.advance(SILENCE_MAX);
        self.store.rescue(&LivingAttempts::default()).await.unwrap()
    }

    pub async fn request(&self, id: RequestId) -> Request {
        self.store.request(&account(), id).await.unwrap().unwrap()
    }

    pub async fn available(&self) -> u64 {
        self.store.account(&account()).await.unwrap().unwrap().available.get()
    }

    /// An examination finds nothing.
    pub async fn is_consistent(&self) {
        let findings = self.store.examine().await.unwrap();
        assert_eq!(findings.violation, None);
        assert!(findings.checked.rules > 10 && findings.checked.accounts > 0, "{findings:?}");
    }
}

/// Runs the whole suite on the stores that `$open` makes.
#[macro_export]
macro_rules! conformance {
    ($open:path) => {
        $crate::conformance! { $open;
            accounts: accounts_are_made_once_and_granted_to, a_store_has_one_first_account, accounts_are_listed_page_by_page, a_grant_that_no_book_bears_changes_nothing, credits_are_taken_back_where_they_can_be_spent;
            concurrency:
                concurrent_submits_spend_no_credit_twice,
                concurrent_submits_with_one_key_are_one,
                a_request_is_claimed_by_one_of_many,
                an_end_and_a_cancel_exclude_each_other,
                positions_hold_in_a_crowd;
            credits:
                a_request_is_reserved_for_then_charged_or_refunded_once,
                a_refused_submit_leaves_nothing_and_a_repeated_one_is_the_same,
                the_sandbox_moves_no_credits,
                one_that_is_canceled_is_refunded_and_delivered;
            deliveries:
                a_delivery_is_given_to_one_sender_until_it_arrives,
                a_living_sender_keeps_its_delivery_whatever_the_clock_says,
                a_delivery_of_another_node_is_free_when_its_lease_expires;
            events: an_event_comes_before_the_answer_to_its_command;
            key_budgets:
                a_key_spends_no_more_than_its_budget,
                what_is_not_charged_goes_back_to_the_budget_of_its_day,
                a_clock_that_is_set_back_gives_no_second_budget,
                concurrent_submits_of_a_key_stay_within_its_budget;
            keys:
                keys_are_found_by_their_hash_until_they_are_revoked,
                keys_are_listed_in_the_order_of_their_making,
                a_key_has_its_own_limits,
                a_key_has_no_more_in_flight_than_it_may;
            leases:
                a_worker_that_lost_its_lease_changes_nothing,
                a_worker_whose_request_was_canceled_changes_nothing,
                heartbeats_keep_a_lease_up_to_its_deadline,
                a_living_worker_keeps_its_lease_whatever_the_clock_says,
                one_that_is_lost_too_often_fails_and_is_refunded,
                several_are_claimed_and_kept_at_once,
                one_whose_attempts_are_lost_fails_with_what_its_worker_said,
                one_that_is_released_has_lost_nothing,
                what_is_refused_is_counted;
            queue:
                what_was_claimed_before_goes_ahead_of_what_was_not,
                positions_are_what_counting_says,
                queues_do_not_mix,
                turns_go_round_the_accounts_that_wait,
                one_line_is_in_the_order_of_the_submits,
                a_paused_queue_takes_submits_and_gives_nothing,
                those_of_an_account_that_is_full_are_passed_over_and_keep_their_places;
            outbox:
                those_of_a_host_without_room_are_postponed_and_come_in_their_order_when_there_is_some,
                a_host_that_nobody_spoke_of_gets_no_more_than_its_share,
                neither_those_that_waited_nor_the_new_take_every_place,
                an_owner_gets_no_more_than_its_share_however_many_hosts_it_names,
                only_what_an_operator_asked_for_goes_to_a_host_that_is_down,
                a_replay_leaves_the_schedule_alone,
                an_overtaken_sender_changes_nothing_unless_it_arrived,
                all_that_failed_since_a_time_are_replayed_a_bounded_number_at_a_time,
                those_that_wait_for_a_host_for_days_are_given_up,
                deliveries_are_listed_page_by_page_the_newest_first,
                an_old_secret_signs_for_a_day_and_stands_last,
                the_operator_chooses_when_the_new_secret_comes_last_and_the_old_one_ends;
            listing:
                requests_are_listed_newest_first_and_page_by_page,
                a_list_is_filtered,
                a_list_is_of_one_key_and_since_a_time,
                a_history_tells_every_attempt_and_movement;
            logs:
                lines_are_kept_in_their_order_however_often_they_are_reported,
                the_latest_lines_are_kept_and_the_others_are_counted,
                lines_are_read_page_by_page,
                a_status_shows_the_last_lines_of_the_latest_attempt,
                a_worker_that_lost_its_lease_logs_nothing,
                the_last_lines_come_when_the_time_is_up,
                lines_of_the_latest_attempts_are_kept,
                lines_stay_after_the_end_and_go_with_the_attempts,
                nothing_that_a_terminal_obeys_is_kept;
            minutes: what_a_queue_did_is_counted_by_minutes;
            search:
                requests_are_found_by_their_words,
                what_is_found_comes_page_by_page_and_is_filtered,
                a_request_that_failed_is_found_by_its_error,
                a_text_goes_with_its_input_and_with_its_request,
                whatever_is_searched_for_there_is_a_page;
            retention: what_has_had_its_time_is_let_go_and_the_books_stay_as_they_are;
            terms: a_task_is_led_by_the_node_that_asks_again_and_after_its_term_by_another;
            uploads:
                an_upload_is_kept_for_its_time_and_for_the_requests_that_name_it,
                a_submit_that_names_no_upload_is_refused_and_a_repeated_one_is_not,
                an_account_keeps_no_more_uploads_than_it_may;
            workers:
                a_worker_is_known_by_its_token_until_it_is_revoked,
                what_a_session_holds_is_told_again,
                the_history_of_a_request_names_the_worker_of_each_attempt,
                revoking_a_worker_takes_back_what_its_sessions_have,
                a_quiet_worker_claims_nothing_and_keeps_what_it_has,
                a_session_that_is_silent_loses_what_it_has,
                sessions_are_listed_and_forgotten_after_a_day,
                the_attempts_of_sessions_go_with_their_request;
            sequences: random_commands_have_the_results_of_a_naive_store;
        }
    };
    ($open:path; $($subject:ident: $($test:ident),+;)+) => {$(
        mod $subject {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let Some(fixture) = $crate::conformance::Fixture::opened($open).await else { return };
                    $crate::conformance::$subject::$test(&fixture).await;
                    fixture.is_consistent().await;
                }
            )+
        }
    )+};
}
