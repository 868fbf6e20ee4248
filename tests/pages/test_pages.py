"""Every page of the dashboard in a real browser: in light, in dark, on a phone, and without scripts."""

import json
import os
import re
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from conftest import MARKUP, PICTURES, Server

SNAPSHOTS = Path(__file__).parent / "snapshots"

PAGES = {
    "now": "/",
    "requests": "/requests",
    "requests-failed": "/requests?status=FAILED",
    "requests-none": "/requests?model=none",
    "gallery": "/requests?view=gallery",
    "deliveries": "/deliveries",
    "playground": "/playground?model=nano-banana-2",
    "models": "/models",
    "accounts": "/accounts",
    "doctor": "/doctor",
    "emulator": "/emulator",
}

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@contextmanager
def opened(browser: Browser, **look: Any) -> Iterator[Page]:
    """A page whose console must stay empty: a policy that is broken shows there."""
    context = browser.new_context(**look)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text} {message.location}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    yield page
    context.close()
    # A refused form is a page with the status 422, which the console mentions.
    said = [line for line in said if "status of 422" not in line]
    assert said == [], said


def newest_request(page: Page, server: Server, status: str) -> str:
    """The path of the newest request of a status."""
    page.goto(f"{server.admin_url}/dashboard/requests?status={status}")
    link = page.locator("tr[data-row] a").first.get_attribute("href")
    assert link is not None
    return link.removeprefix("/dashboard")


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_readable_by_everybody(browser: Browser, emulator: Server, look: str) -> None:
    with opened(browser, **LOOKS[look]) as page:
        ended = newest_request(page, emulator, "COMPLETED")
        failed = newest_request(page, emulator, "FAILED")
        runs = newest_request(page, emulator, "IN_PROGRESS")
        found = {"request": ended, "request-failed": failed, "request-runs": runs}
        for name, path in {**PAGES, **found, "again": f"/playground?from={ended.split('/')[-1]}"}.items():
            page.goto(f"{emulator.admin_url}/dashboard{path}")
            page.wait_for_load_state("load")
            PICTURES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURES / f"{name}-{look}.png", full_page=True)
            wrong = Axe().run(page).generate_report()
            assert wrong.startswith("Found 0 accessibility violations"), f"{name} in {look}: {wrong}"
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} in {look} is {wide} pixels too wide"
            if look == "light":
                compare(name, page.locator("body").aria_snapshot(), emulator)


def compare(name: str, snapshot: str, server: Server) -> None:
    """Compares what a page says with what it said. `UPDATE_SNAPSHOTS=1` accepts it."""
    for url, word in [(server.url, "API"), (server.admin_url, "ADMIN")]:
        snapshot = snapshot.replace(url, word)
    # The receiver has any port, the path of a file is a secret, and a peer answers when it does.
    snapshot = re.sub(r"http://127\.0\.0\.1:\d+/webhook", "RECEIVER", snapshot)
    snapshot = re.sub(r"/[0-9a-f]{32}/", "/SECRET/", snapshot)
    snapshot = re.sub(r"\b\d+ ms\b", "N ms", snapshot)
    snapshot = re.sub(r"Due next: [^.]*\.\S*", "Due next: later.", snapshot)
    path = SNAPSHOTS / f"{name}.yaml"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(snapshot + "\n")
    assert path.read_text() == snapshot + "\n", f"{path} differs; UPDATE_SNAPSHOTS=1 accepts it"


def test_markup_of_a_prompt_is_shown_as_text(browser: Browser, emulator: Server) -> None:
    with opened(browser) as page:
        page.goto(f"{emulator.admin_url}/dashboard/requests?text=onerror")
        page.locator("tr[data-row] a").first.click()
        expect(page.get_by_role("cell", name=MARKUP, exact=True)).to_be_visible()
        page.get_by_role("link", name="Again with changes").click()
        assert page.get_by_label("Prompt (required)").input_value() == MARKUP
        page.goto(f"{emulator.admin_url}/dashboard/requests?text={MARKUP.replace('#', '')}")
        expect(page.get_by_role("heading", name="Requests")).to_be_visible()


def test_a_page_is_live(browser: Browser, emulator: Server) -> None:
    with opened(browser) as page:
        page.goto(f"{emulator.admin_url}/dashboard/")
        rows = page.locator("table.requests tr[data-row]")
        first = rows.first.locator(".id").inner_text()
        submitted = emulator.call("/v1/models/nano-banana-2", {"input": {"prompt": "a late fox"}})
        expect(rows.first.locator(".id")).to_have_text(submitted["request_id"], timeout=60_000)
        assert first != submitted["request_id"]
        page.get_by_role("link", name="live", exact=True).click()
        expect(page.get_by_role("link", name="paused")).to_be_visible()


def test_a_page_is_live_whichever_script_comes_last(browser: Browser, emulator: Server) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    address = f"{emulator.admin_url}/dashboard/"
    with opened(browser) as page:
        page.goto(address)
        scripts: list[str] = page.evaluate("[...document.scripts].map(script => script.src)")
    assert scripts
    for late in scripts:
        with opened(browser) as page:
            page.route(late, hold)
            with page.expect_response("**/live?of=*"):
                page.goto(address, wait_until="commit")
                loaded = "names => names.every(name => performance.getEntriesByName(name).length > 0)"
                page.wait_for_function(loaded, arg=[script for script in scripts if script != late])
                # The timers of the scripts that have run end first.
                page.evaluate("new Promise(done => setTimeout(() => setTimeout(done)))")
                held.pop().continue_()


@pytest.mark.parametrize("trouble", ["refused", "broken off"])
def test_a_page_whose_first_connection_fails_stays_and_becomes_live(
    browser: Browser, emulator: Server, trouble: str
) -> None:
    def answer(route: Route) -> None:
        if trouble == "refused":
            route.fulfill(
                status=503,
                content_type="text/html",
                body="<h1>A proxy without a server</h1>",
            )
        else:
            route.abort()

    # The console tells of the trouble.
    context = browser.new_context()
    page = context.new_page()
    page.route("**/live?of=*", answer, times=1)
    with page.expect_request("**/live?of=*"):
        page.goto(f"{emulator.admin_url}/dashboard/")
    shown = page.locator("table.requests tr[data-row]")
    expect(shown).to_have_count(8)
    expect(page.get_by_text("A proxy without a server")).to_have_count(0)
    submitted = emulator.call("/v1/models/nano-banana-2", {"input": {"prompt": "a fox after trouble"}})
    expect(shown.first.locator(".id")).to_have_text(submitted["request_id"], timeout=60_000)
    context.close()


def test_a_key_gets_the_budget_that_its_form_says(browser: Browser, server: Server) -> None:
    body = {"input": {"prompt": "a fox on a budget"}}
    accounts = f"{server.admin_url}/dashboard/accounts"
    with opened(browser) as page:

        def make_key(account: str, budget: str = "") -> str:
            page.goto(accounts)
            form = page.locator("form[action$='/keys']")
            form.get_by_label("Account").select_option(account)
            form.get_by_label("Requests a minute").fill("50")
            form.get_by_label("Credits").fill(budget)
            form.get_by_label("Per").select_option("month")
            form.get_by_role("button", name="Make a key").click()
            return page.locator("p.secret code").inner_text()

        page.goto(server.ticket_url())
        page.goto(accounts)
        form = page.locator("form[action$='/accounts']")
        form.get_by_label("Credits").fill("1000")
        form.get_by_role("button").click()
        account = page.locator("main p code").first.inner_text()
        cost = server.call("/v1/models/nano-banana-2/estimate", body, make_key(account))["credits"]
        # Enough for one, and not for two.
        budget = 2 * cost - 1
        key = make_key(account, str(budget))
        server.call("/v1/models/nano-banana-2", body, key)
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.call("/v1/models/nano-banana-2", body, key)
        assert refused.value.code == 402
        message = json.loads(refused.value.read())["error"]["message"]
        assert f"{cost} of the {budget} that it may spend a month" in message
        page.goto(accounts)
        row = page.locator("tr", has_text=f"{cost} of {budget} spent this month")
        expect(row).to_contain_text("50")


def test_every_action_is_a_form(browser: Browser, emulator: Server) -> None:
    with opened(browser, java_script_enabled=False) as page:
        base = f"{emulator.admin_url}/dashboard"
        page.goto(f"{base}/playground?model=nano-banana-2")
        page.get_by_label("Prompt (required)").fill("a fox without scripts")
        page.get_by_label("Key", exact=True).select_option(index=1)
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("status")).to_have_text("Submitted.")
        page.get_by_role("button", name="Submit again").click()
        expect(page.get_by_role("status")).to_have_text("Submitted again.")
        page.goto(f"{base}/emulator")
        page.get_by_label("Advance by").fill("10m")
        page.get_by_role("button", name="Advance").click()
        expect(page.get_by_role("status")).to_contain_text("The clock went on by 10m")
        page.get_by_label("A fault").fill("submit 503 x2")
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("status")).to_contain_text("is added: submit 503 x2")
        page.get_by_role("button", name="Remove").last.click()
        expect(page.get_by_role("status")).to_contain_text("is removed")
        page.goto(f"{base}/models")
        page.get_by_role("button", name="Pause").first.click()
        expect(page.get_by_role("status")).to_contain_text("is paused")
        page.get_by_role("button", name="Resume").first.click()
        expect(page.get_by_role("status")).to_contain_text("goes on")
        page.goto(f"{base}/doctor")
        page.get_by_role("button", name="Examine the store").click()
        expect(page.get_by_text("rules hold")).to_be_visible()


def test_a_refused_input_keeps_its_form(browser: Browser, emulator: Server) -> None:
    with opened(browser, java_script_enabled=False) as page:
        page.goto(f"{emulator.admin_url}/dashboard/playground?model=nano-banana-2")
        page.get_by_label("Prompt (required)").fill("a fox")
        page.get_by_label("Seed", exact=True).fill("many")
        page.get_by_role("button", name="Submit").click()
        expect(page.get_by_role("alert")).to_contain_text("seed")
        assert page.get_by_label("Prompt (required)").input_value() == "a fox"


def test_the_keyboard_is_enough(browser: Browser, emulator: Server) -> None:
    with opened(browser) as page:
        page.goto(f"{emulator.admin_url}/dashboard/")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("r")
        expect(page.get_by_role("heading", name="Requests")).to_be_visible()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=re.compile("Request "))).to_be_visible()
        page.keyboard.press("/")
        page.keyboard.type("picture 5")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Filtered by text picture 5")).to_be_visible()
