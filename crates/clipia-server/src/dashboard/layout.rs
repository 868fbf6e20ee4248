//! The frame of every page, and the headers of every response.

use super::gate::SignIn;
use super::notice::Notice;
use super::page_error::PageError;
use super::visit::Visit;
use super::{Dashboard, assets};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

/// The pages of the navigation: the first segment of their address, their name, and the key that goes there after `g`.
const PAGES: [(&str, &str, &str); 7] = [
    ("", "Now", "n"),
    ("requests", "Requests", "r"),
    ("deliveries", "Deliveries", "d"),
    ("playground", "Playground", "p"),
    ("models", "Models", "m"),
    ("accounts", "Accounts", "a"),
    ("doctor", "Doctor", "o"),
];

/// What htmx is told. A response that is none of ours, such as that of a proxy whose server starts again, must not replace a page.
const HTMX_CONFIG: &str = r#"{"history":false,"includeIndicatorCSS":false,"prefix":"","extensions":"sse","noSwap":["204","304","4xx","5xx"]}"#;

/// Where a page gets anything from: this server alone. Nobody may show it in a frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// The other headers of a page. A page names what people made, so no cache keeps it. `same-origin` and not `no-referrer`, with which
/// browsers do not say the origin of a form.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// What a page shows.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// The first segment of the address of the page that the navigation marks.
    pub(super) at: &'a str,
    /// What stays while the page is live, such as filters.
    pub(super) before: Markup,
    pub(super) content: Markup,
    /// Whether `content` is rendered again while somebody looks at it.
    pub(super) live: bool,
    pub(super) status: StatusCode,
}

impl Page<'_> {
    /// An empty page that is rendered again while somebody looks at it.
    pub(super) fn live() -> Self {
        Self { live: true, ..Self::still() }
    }

    /// An empty page that stays as it is.
    pub(super) fn still() -> Self {
        let nothing = || html! {};
        Self {
            title: "",
            at: "none",
            before: nothing(),
            content: nothing(),
            live: false,
            status: StatusCode::OK,
        }
    }
}

/// The whole page; with the navigation for whoever has signed in.
pub(super) fn whole(
    dashboard: &Dashboard,
    visit: Option<&Visit>,
    notice: Option<Notice>,
    page: Page<'_>,
) -> Markup {
    let base = &dashboard.base;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (page.title) " · Clipia Queue" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=(HTMX_CONFIG);
                link rel="icon" href=(assets::address(base, "icon.svg"));
                link rel="stylesheet" href=(assets::address(base, "dashboard.css"));
                @for script in ["htmx.js", "dashboard.js"] {
                    script src=(assets::address(base, script)) defer {}
                }
            }
            // The clock of a server that only plays is not that of the browser.
            body data-base=(base) data-still[dashboard.parts.gate.is_open()] {
                a.skip href="#main" { "Skip to the content" }
                header {
                    a.brand href={ (base) "/" } { "Clipia Queue" }
                    @if visit.is_some() { (navigation(dashboard, page.at)) }
                    @if let Some(visit) = visit { (session(dashboard, visit, &page)) }
                }
                main id="main" tabindex="-1" {
                    h1 { (page.title) }
                    @if let Some(notice) = notice { (notice.shown()) }
                    (page.before)
                    @if let (true, Some(visit)) = (page.live, visit) {
                        // The extension repeats a connection that broke off, and the trigger one that was never made.
                        div.live hx-sse:connect={ (base) "/live?of=" (encoded(&visit.path)) } hx-swap="innerMorph"
                            hx-trigger="load, every 5s" { (page.content) }
                    } @else { (page.content) }
                }
                (keys())
            }
        }
    }
}

fn navigation(dashboard: &Dashboard, at: &str) -> Markup {
    let added = dashboard.parts.sections.iter().map(|section| (section.path(), section.name()));
    html! {
        nav aria-label="Pages" {
            @for (path, name) in PAGES.into_iter().map(|(path, name, _)| (path, name)).chain(added) {
                a href={ (dashboard.base) "/" (path) } aria-current=[(path == at).then_some("page")] { (name) }
            }
        }
    }
}

/// The search, the state of the page, and the end of the session.
fn session(dashboard: &Dashboard, visit: &Visit, page: &Page<'_>) -> Markup {
    let base = &dashboard.base;
    let between = if visit.path.contains('?') { '&' } else { '?' };
    html! {
        form.search role="search" action={ (base) "/requests" } {
            input type="search" name="text" placeholder="Search prompts" aria-label="Search prompts and errors";
        }
        div.session {
            @if dashboard.parts.settings.read_only { span.state.off { "read-only" } }
            @if page.live {
                a.pulse href={ (base) (visit.path) (between) "live=off" } title="Stop the updates of this page" { "live" }
            } @else if let Some(path) = resumed(&visit.path) {
                a href={ (base) (path) } title="Update this page again" { "paused" }
            }
            @if !dashboard.parts.gate.is_open() {
                form.one method="post" action={ (base) "/out" } { button.quiet { "Sign out" } }
            }
        }
    }
}

/// The address of a paused page when it is live again; none of a page that is not paused.
fn resumed(path: &str) -> Option<String> {
    let (path, query) = path.split_once('?')?;
    let kept: Vec<&str> = query.split('&').filter(|pair| *pair != "live=off").collect();
    (kept.len() < query.split('&').count()).then(|| match kept.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", kept.join("&")),
    })
}

/// The keys of the keyboard, which `?` shows.
fn keys() -> Markup {
    html! {
        dialog id="keys" aria-labelledby="keys-title" {
            h2 id="keys-title" { "Keys" }
            dl {
                dt { kbd { "/" } } dd { "Search" }
                dt { kbd { "j" } " " kbd { "k" } } dd { "Next and previous row" }
                dt { kbd { "Enter" } } dd { "Open the row" }
                @for (path, name, key) in PAGES {
                    dt { kbd { "g" } " " kbd { (key) } } dd data-key=(key) data-path=(path) { (name) }
                }
                dt { kbd { "?" } } dd { "These keys" }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}

/// A text as a value of a query.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Makes a page of an error, and adds the headers of every response.
pub(super) async fn finish(State(dashboard): State<Dashboard>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let (error, sign_in) = {
        let extensions = response.extensions_mut();
        (extensions.remove::<PageError>(), extensions.remove::<SignIn>())
    };
    if let Some(PageError { status, message }) = error {
        let content =
            html! { p.notice.bad role="alert" { (message) } p { a href={ (dashboard.base) "/" } { "Now" } } };
        let title = status.canonical_reason().unwrap_or("Not shown");
        let page = whole(&dashboard, None, None, Page { title, content, ..Page::still() });
        response = (status, Html(page.into_string())).into_response();
    } else if sign_in.is_some() {
        let content = SignIn::content(&dashboard.base);
        let page = whole(&dashboard, None, None, Page { title: "Sign in", content, ..Page::still() });
        response = (StatusCode::UNAUTHORIZED, Html(page.into_string())).into_response();
    }
    let headers = response.headers_mut();
    // A file of a generation has a stricter policy, and may be kept.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    response
}
