"""Settings of a client. Nothing is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import clipia_queue
from clipia_queue import AsyncClipia, Clipia, ClipiaError, ClipiaValueError
from peer import ID, KEY, Peer


@pytest.mark.parametrize("client", [Clipia, AsyncClipia])
class TestEitherClient:
    def test_no_key_is_refused(self, client: type[Clipia]) -> None:
        with pytest.raises(ClipiaValueError, match="no API key: set `CLIPIA_KEY` or `CLIPIA_API_KEY`"):
            client()
        with pytest.raises(ValueError, match="no API key"):
            client("")

    def test_key_and_base_url_come_from_the_environment(
        self, client: type[Clipia], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLIPIA_API_KEY", f'\ufeff"Bearer {KEY}"\r\n')
        assert repr(client()) == f"{client.__name__}(base_url='https://api.clipia.ai')"
        monkeypatch.setenv("CLIPIA_KEY", "no key")  # has precedence
        with pytest.raises(ClipiaValueError, match="malformed API key: it has a space"):
            client()
        monkeypatch.setenv("CLIPIA_KEY", KEY)
        monkeypatch.setenv("CLIPIA_BASE_URL", " 'http://127.0.0.1:4747/v1'\n")
        assert "'http://127.0.0.1:4747'" in repr(client())
        assert "http://localhost:1" in repr(client(base_url="http://localhost:1"))

    @pytest.mark.parametrize(
        ("key", "said"),
        [
            ("clipia_live\u200b_x", "an invisible character within"),
            ("clipia_live \n_x", "a space or a line break within"),
            ('"clipia_live_x', "a quote at one end"),
            ("schlüssel", "not ASCII"),
            ("Bearer ", "no API key"),
        ],
    )
    def test_the_fault_of_a_key_is_named(self, client: type[Clipia], key: str, said: str) -> None:
        with pytest.raises(ClipiaValueError, match=said) as raised:
            client(key)
        assert key.strip() not in f"{raised.value!r}".replace("Bearer", "")

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("http://api.clipia.ai", "`allow_http` or `CLIPIA_ALLOW_HTTP=1`"),
            ("http://clipia:8080", "`allow_http` or `CLIPIA_ALLOW_HTTP=1`"),
            ("http://localhost.evil.com", "`allow_http` or `CLIPIA_ALLOW_HTTP=1`"),
            ("http://127.0.0.1.nip.io", "`allow_http` or `CLIPIA_ALLOW_HTTP=1`"),
            ("http://127.0.0.2", "`allow_http` or `CLIPIA_ALLOW_HTTP=1`"),
            ("http://localhost@evil.com", "it names a user"),
            ("ftp://localhost", "begin with https://"),
            ("localhost:8080", "write `http://` before it"),
            ("api.clipia.ai/v1", "write https://api.clipia.ai"),
            (KEY, "write `https://` before it"),
            ("", "it is empty"),
        ],
    )
    def test_a_key_is_not_sent_in_clear_text(self, client: type[Clipia], url: str, said: str) -> None:
        with pytest.raises(ClipiaValueError, match="cannot use the base URL") as raised:
            client("clipia_test_0123456789abcdef", base_url=url)
        assert said in str(raised.value)
        assert KEY not in repr(raised.value)

    def test_plain_http_to_another_host_can_be_allowed(
        self, client: type[Clipia], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = "http://clipia:8080"
        assert url in repr(client(KEY, base_url=url + "/v1", allow_http=True))
        monkeypatch.setenv("CLIPIA_ALLOW_HTTP", "1")
        assert url in repr(client(KEY, base_url=url))
        with pytest.raises(ClipiaValueError, match="allow_http"):
            client(KEY, base_url=url, allow_http=False)

    @pytest.mark.parametrize(
        ("variable", "value", "said"),
        [
            ("HTTPS_PROXY", "http://me:secret@pro xy:1", "cannot use the proxy in `HTTPS_PROXY`"),
            ("all_proxy", "socks://me:secret@proxy:1", "cannot use the proxy in `all_proxy`: it must begin"),
            ("SSL_CERT_FILE", "", "cannot use the certificates in `SSL_CERT_FILE`: it is empty"),
            ("SSL_CERT_FILE", "/no/such.pem", "cannot use the certificates in `SSL_CERT_FILE`: .*such.pem"),
            ("SSL_CERT_DIR", "/no/such", "cannot use the certificates in `SSL_CERT_DIR`: .*such"),
            ("REQUESTS_CA_BUNDLE", __file__, "`REQUESTS_CA_BUNDLE`: .* has no certificate"),
            ("CURL_CA_BUNDLE", "/no/such.pem", "cannot use the certificates in `CURL_CA_BUNDLE`"),
        ],
    )
    def test_a_variable_that_cannot_be_used_is_named(
        self, client: type[Clipia], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        with pytest.raises(ClipiaValueError, match=said) as raised:
            client(KEY)
        assert "secret" not in repr(raised.value)
        client(KEY, base_url="http://localhost:1")  # needs neither proxy nor certificates

    def test_the_key_is_never_shown(self, client: type[Clipia]) -> None:
        clipia = client(KEY)
        shown = [repr(clipia), str(clipia), repr(clipia.models), repr(clipia.account), repr(vars(client))]
        with pytest.raises(ClipiaValueError) as raised:
            client(f"{KEY} {KEY}")
        assert not any(KEY in text for text in [*shown, str(raised.value), repr(raised.value)])

    @pytest.mark.parametrize(
        "settings",
        [
            {"timeout": -1.0},
            {"timeout": float("nan")},
            {"timeout": float("inf")},
            {"max_retries": -1},
            {"retry_delay": -0.1},
        ],
    )
    def test_impossible_settings_are_refused(self, client: type[Clipia], settings: dict[str, Any]) -> None:
        with pytest.raises(ClipiaValueError):
            client(KEY, **settings)

    def test_a_client_is_frozen(self, client: type[Clipia]) -> None:
        with pytest.raises(AttributeError):
            client(KEY).models = None  # type: ignore[misc, assignment]

    def test_a_malformed_id_is_refused(self, client: type[Clipia]) -> None:
        with pytest.raises(ClipiaValueError, match="not empty"):
            client(KEY).status("")


def test_an_input_that_is_no_mapping_is_refused() -> None:
    for value in (["prompt"], "prompt", None):
        with pytest.raises(ClipiaValueError, match="must be a JSON object"):
            Clipia(KEY, base_url="http://127.0.0.1:9").submit("nano-banana-2", value)  # type: ignore[arg-type]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "all_proxy"])
def test_calls_go_through_a_proxy(peer: Peer, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, peer.url.replace("//", "//me:p@ss@") + "\n")
    with Clipia(KEY, base_url="http://clipia:8080", allow_http=True) as clipia:
        assert clipia.status(ID).status == "IN_PROGRESS"
    (request,) = peer.seen
    assert request.path == f"http://clipia:8080/v1/requests/{ID}/status"
    assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="


def test_a_closed_client_says_so() -> None:
    with Clipia(KEY) as clipia:
        handle = clipia.generation(ID)
    assert repr(clipia) == "Clipia(closed)"
    assert handle.request_id == ID
    clipia.close()
    with pytest.raises(ClipiaError, match="the client is closed"):
        clipia.account.get()


async def test_a_closed_async_client_says_so() -> None:
    async with AsyncClipia(KEY) as clipia:
        assert repr(clipia.generation(ID)) == f"AsyncGeneration(request_id='{ID}')"
    await clipia.close()
    with pytest.raises(ClipiaError, match="the client is closed"):
        await clipia.account.get()


def test_names_show_the_public_module() -> None:
    for name in clipia_queue.__all__:
        thing = getattr(clipia_queue, name)
        if isinstance(thing, type) and not name[0].islower() and "_types" not in thing.__module__:
            assert f"{thing.__module__}.{thing.__qualname__}" == f"clipia_queue.{name}"


def test_statuses() -> None:
    assert {"COMPLETED", "FAILED", "CANCELED"} == clipia_queue.TERMINAL_STATUSES
    assert {clipia_queue.IN_QUEUE, clipia_queue.IN_PROGRESS} == {"IN_QUEUE", "IN_PROGRESS"}


def test_a_call_has_headers_and_a_timeout_of_its_own(peer: Peer) -> None:
    clipia = Clipia(KEY, base_url=peer.url, headers={"X-Team": "pictures"}, max_retries=0)
    clipia.status(ID, headers={"x-team": "clips", "X-Trace": "one"}, call_timeout=5)
    clipia.status(ID)
    assert [request.headers["x-team"] for request in peer.seen] == ["clips", "pictures"]
    assert [request.headers.get("x-trace") for request in peer.seen] == ["one", None]
    for call in (clipia.submit, clipia.models.submit, clipia.subscribe):
        with pytest.raises(ClipiaValueError, match="the client sets it itself") as raised:
            call("nano-banana-2", {}, headers={"Authorization": "0123456789"})
        assert raised.value.argument == "header"
        assert "0123456789" not in str(raised.value)
    assert len(peer.seen) == 2


async def test_a_call_has_headers_of_its_own_async(peer: Peer) -> None:
    async with AsyncClipia(KEY, base_url=peer.url) as clipia:
        await clipia.status(ID, headers={"X-Trace": "one"})
        await clipia.result(ID, headers={"X-Trace": "two"}, call_timeout=5)
        handle = clipia.generation(ID)
        await handle.status(headers={"X-Trace": "three"})
        await handle.result(headers={"X-Trace": "four"}, call_timeout=5)
    blocking = Clipia(KEY, base_url=peer.url).generation(ID)
    await asyncio.to_thread(blocking.status, headers={"X-Trace": "five"}, call_timeout=5)
    await asyncio.to_thread(blocking.result, headers={"X-Trace": "six"})
    traces = [request.headers["x-trace"] for request in peer.seen]
    assert traces == ["one", "two", "three", "four", "five", "six"]
