"""Who gets to the dashboard, and what an attacker does not."""

import json
import re
import urllib.error
import urllib.request
from email.message import Message
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, Page, expect
from test_pages import opened

from conftest import Server

PATHS = ["/", "/requests", "/deliveries", "/playground", "/models", "/accounts", "/doctor"]


class Unfollowed(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Response(Protocol):
    """A response."""

    status: int
    headers: Message

    def read(self) -> bytes: ...


def call(url: str, headers: dict[str, str], data: bytes | None = None) -> Response:
    """The response, whatever its status."""
    request = urllib.request.Request(url, data, headers)
    try:
        opened = urllib.request.build_opener(Unfollowed).open(request, timeout=30)
    except urllib.error.HTTPError as error:
        opened = error
    response: Response = opened
    return response


def signed_in(server: Server) -> dict[str, str]:
    """The cookie of a new session."""
    entered = call(server.ticket_url(), {})
    assert entered.status == 303
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    return {"Cookie": cookie.split(";")[0]}


def test_a_ticket_is_used_once(server: Server) -> None:
    url = server.ticket_url()
    assert call(url, {}).status == 303
    again = call(url, {})
    assert again.status == 401
    assert b"clipia dashboard" in again.read()
    assert call(f"{server.admin_url}/dashboard/in?ticket=guessed", {}).status == 401


@pytest.mark.parametrize("path", [*PATHS, "/live?of=/", "/media/x.png"])
def test_nothing_is_shown_without_a_session(server: Server, path: str) -> None:
    assert call(f"{server.admin_url}/dashboard{path}", {}).status == 401
    forged = {"Cookie": "clipia_dashboard=0; clipia_dashboard_00000000=00"}
    assert call(f"{server.admin_url}/dashboard{path}", forged).status == 401


def test_any_query_and_any_form_get_a_page(server: Server) -> None:
    session = {**signed_in(server), "Origin": server.admin_url}
    odd = ["%00", "%FF", "%22%3E%3Cscript%3E", "a%20AND%20(", "%22", "*", "x" * 4000, "-1", "%F0%9F%A6%8A"]
    fields = [
        "text",
        "status",
        "model",
        "account",
        "key",
        "since",
        "view",
        "after",
        "before",
        "state",
        "from",
    ]
    for path in PATHS:
        for value in odd:
            query = "&".join(f"{field}={value}" for field in fields)
            for asked in [query, f"text={value}"]:
                shown = call(f"{server.admin_url}/dashboard{path}?{asked}", session)
                assert shown.status < 500, (path, asked)
                assert b"<script>" not in shown.read()
    for path in [
        "/accounts",
        "/keys",
        "/playground",
        "/playground/price",
        "/deliveries/failed",
        "/doctor/backup",
    ]:
        for body in [b"", b"credits=-1", b"\xff\x00=&&", b"{}", b"model=nano-banana-2&p.prompt=%00&key="]:
            assert call(f"{server.admin_url}/dashboard{path}", session, body).status < 500, (path, body)


def test_a_form_of_another_site_is_refused(server: Server) -> None:
    session = signed_in(server)
    url = f"{server.admin_url}/dashboard/accounts"
    for origin in [{"Origin": "http://evil.example"}, {"Origin": "null"}, {}]:
        refused = call(url, {**session, **origin}, b"credits=5")
        assert refused.status == 403, origin
    accepted = call(url, {**session, "Origin": server.admin_url}, b"credits=5")
    assert accepted.status == 200


def test_another_name_of_the_emulator_is_refused(emulator: Server) -> None:
    url = f"{emulator.admin_url}/dashboard/"
    assert call(url, {}).status == 200
    assert call(url, {"Host": "rebound.example"}).status == 403


def test_no_other_site_shows_or_feeds_a_page(server: Server) -> None:
    shown = call(f"{server.admin_url}/dashboard/", signed_in(server))
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert shown.headers["X-Frame-Options"] == "DENY"
    assert shown.headers["Cache-Control"] == "no-store"


def test_a_page_of_another_site_cannot_frame_or_post(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.ticket_url())
    expect(page.get_by_role("heading", name="Now")).to_be_visible()
    attack = (
        f"<iframe src='{server.admin_url}/dashboard/'></iframe>"
        f"<form method=post action='{server.admin_url}/dashboard/accounts'>"
        "<input name=credits value=5></form>"
    )
    page.route("http://evil.example/", lambda route: route.fulfill(body=attack, content_type="text/html"))
    page.goto("http://evil.example/")
    assert page.frames[-1].url.startswith("chrome-error:")
    with page.expect_response(re.compile("/accounts$")) as posted:
        page.evaluate("document.forms[0].submit()")
    assert posted.value.status in (401, 403)
    context.close()


def test_no_page_has_a_key_or_a_secret(server: Server) -> None:
    secrets = [server.live_key, server.test_key, server.webhook_secret]
    secrets.append(json.loads((server.data / "admin.json").read_text())["token"])
    session = signed_in(server)
    for path in PATHS:
        html = call(f"{server.admin_url}/dashboard{path}", session).read().decode()
        for secret in secrets:
            assert secret not in html, path
            assert secret.split("_")[-1] not in html, path


@pytest.mark.parametrize("path", ["/dashboard", "/queue/dashboard"])
def test_a_proxy_may_take_its_prefix_off(read_only_server: Server, path: str) -> None:
    session = signed_in(read_only_server)
    for page in PATHS:
        shown = call(f"{read_only_server.admin_url}{path}{page}", session)
        assert shown.status == 200, page
        links = re.findall('(?:href|src|action)="(/[^"]*)"', shown.read().decode())
        assert links
        assert all(link.startswith("/queue/dashboard/") for link in links), links


def test_a_read_only_dashboard_changes_nothing(read_only_server: Server) -> None:
    session = signed_in(read_only_server)
    for path in ["/accounts", "/keys", "/doctor", "/queues/render/pause", "/playground"]:
        refused = call(
            f"{read_only_server.admin_url}/dashboard{path}",
            {**session, "Origin": read_only_server.admin_url},
            b"credits=5",
        )
        assert refused.status == 403, path
        assert b"read-only" in refused.read()
    for path in PATHS:
        html = call(f"{read_only_server.admin_url}/dashboard{path}", session).read().decode()
        posts = re.findall('method="post" action="([^"]*)"', html)
        assert posts == ["/queue/dashboard/out"], (path, posts)


def test_signing_out_ends_the_session(browser: Browser, server: Server) -> None:
    with opened(browser) as page:
        page.goto(server.ticket_url())
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
    session = signed_in(server)
    call(f"{server.admin_url}/dashboard/out", {**session, "Origin": server.admin_url}, b"")
    assert call(f"{server.admin_url}/dashboard/", session).status == 401


class Clicks:
    """Counts what a person clicks."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    def __call__(self, role: Any, name: str, within: str = "body") -> None:
        self.page.locator(within).first.get_by_role(role, name=name).first.click()
        self.count += 1


def test_a_journey_from_the_ticket_to_a_revoked_key(browser: Browser, server: Server, receiver: str) -> None:
    webhook = {"input": {"prompt": "a fox with a webhook"}, "webhook_url": receiver}
    delivered = server.call("/v1/models/nano-banana-2", webhook)["request_id"]
    with opened(browser) as page:
        clicks = Clicks(page)
        page.goto(server.ticket_url())
        clicks("link", "Playground")
        page.get_by_label("Prompt (required)").fill("a red fox in snow")
        page.get_by_label("Key", exact=True).select_option(index=1)
        clicks("button", "Submit")
        picture = page.locator(".output img")
        expect(picture).to_be_visible(timeout=60_000)
        assert picture.evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0
        clicks("link", "Again with changes")
        page.get_by_label("Prompt (required)").fill("a red fox in rain")
        clicks("button", "Submit")
        expect(picture).to_be_visible(timeout=60_000)
        clicks("link", "Deliveries")
        expect(page.locator("td .state").first).to_have_text("delivered", timeout=60_000)
        clicks("button", "Replay", within="tbody")
        expect(page.get_by_role("status")).to_have_text("The delivery is sent again.")
        assert delivered in page.url
        expect(page.get_by_text("(replay)")).to_be_visible(timeout=60_000)
        clicks("link", "Accounts")
        clicks("button", "Revoke")
        expect(page.get_by_role("status")).to_contain_text("is revoked")
        assert clicks.count <= 12, clicks.count
