//! Who may look at the dashboard: tickets, sessions, and where a form comes from.
//!
//! A ticket is used once, within a minute. The administration makes it for whoever has its token, and it begins a session of
//! twelve hours. Tickets and sessions are kept in memory, by their hashes: a server that starts again knows none. A call that
//! changes something must come from a page of this very address, as its `Origin` says.
//!
//! Where nobody signs in, as in the emulator, the address must be one of this machine. A page of another site whose name was
//! made to point here (DNS rebinding) has a name of its own, and is refused.

use super::Dashboard;
use super::layout::Page;
use super::notice::Notice;
use super::page_error::PageError;
use super::visit::Visit;
use crate::http::scheme;
use axum::extract::{Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use clipia_store::KeyHash;
use http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use maud::html;
use serde::Deserialize;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a ticket may be used.
const TICKET_KEPT: Duration = Duration::from_secs(60);

/// How long a session lasts.
const SESSION_KEPT: Duration = Duration::from_secs(12 * 60 * 60);

/// The most tickets and the most sessions at once: the oldest make room.
const TICKETS_MAX: usize = 100;
const SESSIONS_MAX: usize = 1_000;

/// The tickets and the sessions of a server.
pub(crate) struct Gate {
    /// Whether nobody has to sign in.
    is_open: bool,
    /// The name of the cookie: a browser keeps one cookie of a name for all servers of a machine, whatever their ports.
    cookie: String,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The ends of tickets.
    tickets: HashMap<[u8; 32], Instant>,
    sessions: HashMap<[u8; 32], Session>,
}

struct Session {
    ends: Instant,
    /// What the next page says first.
    notice: Option<Notice>,
}

/// The session of a call.
#[derive(Clone, Copy)]
pub(super) struct SessionId([u8; 32]);

impl Gate {
    /// A gate. An open one lets everybody in who calls an address of this machine.
    pub(crate) fn new(is_open: bool) -> Self {
        let cookie = format!("clipia_dashboard_{}", hex::encode(rand::random::<[u8; 4]>()));
        Self { is_open, cookie, kept: Mutex::default() }
    }

    /// Whether nobody has to sign in.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// A new ticket.
    pub(crate) fn ticket(&self) -> String {
        let (ticket, now) = (secret(), Instant::now());
        let mut kept = self.kept();
        kept.tickets.retain(|_, ends| *ends > now);
        make_room(&mut kept.tickets, TICKETS_MAX, |ends| *ends);
        kept.tickets.insert(hash(&ticket), now + TICKET_KEPT);
        ticket
    }

    /// Begins a session with a ticket, which is used up; returns the value of its cookie.
    fn enter(&self, ticket: &str) -> Option<String> {
        let ends = self.kept().tickets.remove(&hash(ticket))?;
        (ends > Instant::now()).then(|| self.begin().0)
    }

    fn begin(&self) -> (String, SessionId) {
        let (value, now) = (secret(), Instant::now());
        let mut kept = self.kept();
        kept.sessions.retain(|_, session| session.ends > now);
        make_room(&mut kept.sessions, SESSIONS_MAX, |session| session.ends);
        let id = hash(&value);
        kept.sessions.insert(id, Session { ends: now + SESSION_KEPT, notice: None });
        (value, SessionId(id))
    }

    /// The session of a call, if it has one.
    fn session(&self, headers: &HeaderMap) -> Option<SessionId> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.split_once('='));
        let value = pairs.find_map(|(name, value)| (name.trim() == self.cookie).then(|| value.trim()))?;
        let id = hash(value);
        let kept = self.kept();
        let session = kept.sessions.get(&id)?;
        (session.ends > Instant::now()).then_some(SessionId(id))
    }

    /// Whether a session has not ended.
    pub(super) fn is_in_force(&self, SessionId(id): SessionId) -> bool {
        self.kept().sessions.get(&id).is_some_and(|session| session.ends > Instant::now())
    }

    /// Has the next page of a session say something.
    pub(super) fn note(&self, SessionId(id): SessionId, notice: Notice) {
        if let Some(session) = self.kept().sessions.get_mut(&id) {
            session.notice = Some(notice);
        }
    }

    /// What the next page of a session is to say.
    pub(super) fn take_notice(&self, SessionId(id): SessionId) -> Option<Notice> {
        self.kept().sessions.get_mut(&id)?.notice.take()
    }

    fn end(&self, SessionId(id): SessionId) {
        self.kept().sessions.remove(&id);
    }

    /// The header that gives a browser a session.
    fn cookie_of(&self, value: &str, headers: &HeaderMap) -> HeaderValue {
        let secure = if scheme(headers) == "https" { "; Secure" } else { "" };
        let (name, seconds) = (&self.cookie, SESSION_KEPT.as_secs());
        let cookie = format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
        // Name and value are hexadecimal digits, which are a valid header.
        HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the value that ends first where there are as many as there may be.
fn make_room<V>(kept: &mut HashMap<[u8; 32], V>, most: usize, ends: impl Fn(&V) -> Instant) {
    if kept.len() >= most
        && let Some(first) = kept.iter().min_by_key(|(_, value)| ends(value)).map(|(id, _)| *id)
    {
        kept.remove(&first);
    }
}

fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

fn hash(secret: &str) -> [u8; 32] {
    let KeyHash(hash) = crate::credentials::hash(secret);
    hash
}

/// Lets a call through that has a session, and changes nothing or comes from a page of this address.
pub(super) async fn guard(State(dashboard): State<Dashboard>, mut request: Request, next: Next) -> Response {
    let gate = &dashboard.parts.gate;
    let headers = request.headers();
    if gate.is_open && !host(request.uri(), headers).is_some_and(is_of_this_machine) {
        let message = "This dashboard asks nobody to sign in, so it is shown at an address of this machine only, \
                       such as http://127.0.0.1.";
        return PageError::forbidden(message).into_response();
    }
    let (session, cookie) = match gate.session(headers) {
        Some(session) => (session, None),
        None if gate.is_open => {
            let (value, session) = gate.begin();
            (session, Some(gate.cookie_of(&value, headers)))
        }
        None => return sign_in_page().into_response(),
    };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !is_of_this_address(request.uri(), headers) {
        let message =
            "This call does not come from a page of the dashboard. A proxy before it must pass on `Host`.";
        return PageError::forbidden(message).into_response();
    }
    if changes && dashboard.parts.settings.read_only && request.uri().path() != "/out" {
        let message = "This dashboard is read-only: the server was started with `dashboard_read_only`.";
        return PageError::forbidden(message).into_response();
    }
    request.extensions_mut().insert(session);
    let mut response = next.run(request).await;
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// The name and the port that a call was made to.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let named = || headers.get(HOST)?.to_str().ok()?.parse().ok();
    uri.authority().cloned().or_else(named)
}

fn is_of_this_machine(host: Authority) -> bool {
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Whether a page of the address that is called has sent the call.
fn is_of_this_address(uri: &Uri, headers: &HeaderMap) -> bool {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.and_then(|origin| origin.parse::<Uri>().ok());
    let from = origin.as_ref().and_then(Uri::authority);
    from.zip(host(uri, headers)).is_some_and(|(from, host)| from.as_str().eq_ignore_ascii_case(host.as_str()))
}

/// The page of whoever has no session.
#[derive(Clone, Copy)]
pub(super) struct SignIn;

fn sign_in_page() -> Response {
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    response.extensions_mut().insert(SignIn);
    response
}

impl SignIn {
    pub(super) fn content(base: &str) -> maud::Markup {
        html! {
            p { "On the machine of the server, run" }
            pre { code { "clipia dashboard" } }
            p { "It opens this page with a ticket. A ticket is used once, within a minute." }
            form.row action={ (base) "/in" } method="get" {
                label for="ticket" { "Or give the ticket that " code { "clipia dashboard --print" } " wrote:" }
                input id="ticket" name="ticket" autocomplete="off" required;
                button { "Sign in" }
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Ticket {
    #[serde(default)]
    ticket: String,
}

/// `GET /in?ticket=…`
pub(super) async fn sign_in(
    State(dashboard): State<Dashboard>,
    headers: HeaderMap,
    Query(Ticket { ticket }): Query<Ticket>,
) -> Response {
    let gate = &dashboard.parts.gate;
    let home = Redirect::to(&format!("{}/", dashboard.base));
    match gate.enter(ticket.trim()) {
        Some(value) => ([(SET_COOKIE, gate.cookie_of(&value, &headers))], home).into_response(),
        // A ticket that was used already: its browser loads the page again.
        None if gate.session(&headers).is_some() => home.into_response(),
        None => sign_in_page(),
    }
}

/// `POST /out`
pub(super) async fn sign_out(visit: Visit) -> Response {
    visit.dashboard.parts.gate.end(visit.session);
    let content =
        html! { p { "You are signed out. " code { "clipia dashboard" } " opens the dashboard again." } };
    visit.page(Page { title: "Signed out", content, ..Page::still() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_ticket_is_used_once_and_begins_a_session() {
        let gate = Gate::new(false);
        let ticket = gate.ticket();
        let value = gate.enter(&ticket).unwrap();
        assert!(gate.enter(&ticket).is_none(), "a ticket that was used");
        let cookie = format!("other=1; {}={value}", gate.cookie);
        let session = gate.session(&headers(&[("cookie", &cookie)])).unwrap();
        gate.note(session, Notice::done("said"));
        assert_eq!(gate.take_notice(session).unwrap().text, "said");
        assert!(gate.take_notice(session).is_none(), "a notice is said once");
        gate.end(session);
        assert!(gate.session(&headers(&[("cookie", &cookie)])).is_none());
    }

    #[test]
    fn tickets_and_sessions_are_bounded() {
        let gate = Gate::new(false);
        let first = gate.ticket();
        for _ in 0..TICKETS_MAX {
            gate.ticket();
        }
        assert_eq!(gate.kept().tickets.len(), TICKETS_MAX);
        assert!(gate.enter(&first).is_none(), "the oldest makes room");
        for _ in 0..=SESSIONS_MAX {
            gate.begin();
        }
        assert_eq!(gate.kept().sessions.len(), SESSIONS_MAX);
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_other_sites() {
        let gate = Gate::new(false);
        let plain = gate.cookie_of("00", &HeaderMap::new());
        let plain = plain.to_str().unwrap();
        assert!(plain.contains("HttpOnly; SameSite=Strict; Path=/; Max-Age=43200"), "{plain}");
        assert!(!plain.contains("Secure"));
        let over_tls = gate.cookie_of("00", &headers(&[("x-forwarded-proto", "https")]));
        assert!(over_tls.to_str().unwrap().ends_with("; Secure"));
    }

    #[test]
    fn a_form_of_another_address_is_refused() {
        let uri = Uri::from_static("/keys");
        for (pairs, expected) in [
            (&[("host", "127.0.0.1:4748"), ("origin", "http://127.0.0.1:4748")][..], true),
            (&[("host", "Queue.example"), ("origin", "https://queue.example")], true),
            (&[("host", "127.0.0.1:4748"), ("origin", "http://127.0.0.1:4749")], false),
            (&[("host", "127.0.0.1:4748"), ("origin", "http://evil.example")], false),
            (&[("host", "127.0.0.1:4748"), ("origin", "null")], false),
            (&[("host", "127.0.0.1:4748")], false),
        ] {
            assert_eq!(is_of_this_address(&uri, &headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_told_from_a_name() {
        for (host, expected) in [
            ("127.0.0.1:4748", true),
            ("[::1]:4748", true),
            ("localhost", true),
            ("127.0.0.1.evil.example", false),
            ("rebound.example:4748", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_of_this_machine(host.parse().unwrap()), expected, "{host}");
        }
    }
}
