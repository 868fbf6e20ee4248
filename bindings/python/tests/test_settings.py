"""Setting up a client. Nothing here is sent."""

from __future__ import annotations

from typing import Any

import pytest

import clipia_queue
from clipia_queue import AsyncClipia, Clipia, ClipiaError, ClipiaValueError
from peer import ID, KEY


@pytest.mark.parametrize("client", [Clipia, AsyncClipia])
class TestEitherClient:
    def test_no_key_is_refused(self, client: type[Clipia]) -> None:
        with pytest.raises(ClipiaValueError, match="no API key: set `CLIPIA_KEY`"):
            client()
        with pytest.raises(ValueError, match="no API key"):
            client("")

    def test_key_and_base_url_come_from_the_environment(
        self, client: type[Clipia], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLIPIA_KEY", KEY)
        assert repr(client()) == f"{client.__name__}(base_url='https://api.clipia.ai')"
        monkeypatch.setenv("CLIPIA_BASE_URL", "http://127.0.0.1:4747")
        assert "http://127.0.0.1:4747" in repr(client())
        assert "http://localhost:1" in repr(client(base_url="http://localhost:1"))

    @pytest.mark.parametrize(
        "url",
        [
            "http://api.clipia.ai",
            "http://localhost.evil.com",
            "http://127.0.0.1.nip.io",
            "http://127.0.0.2",
            "http://localhost@evil.com",
            "https://api.clipia.ai/v1",
            "ftp://localhost",
            "localhost:8080",
            "",
        ],
    )
    def test_a_key_goes_nowhere_in_clear_text(self, client: type[Clipia], url: str) -> None:
        with pytest.raises(ClipiaValueError, match="cannot use the base URL"):
            client(KEY, base_url=url)

    def test_the_key_shows_nowhere(self, client: type[Clipia]) -> None:
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
        with pytest.raises(ClipiaValueError, match="`fox` is not the id of a request"):
            client(KEY).status("fox")

    @pytest.mark.parametrize(
        "value", [object(), b"bytes", 2**70, {1: 2}, "\ud800"], ids=["object", "bytes", "int", "key", "text"]
    )
    def test_an_input_that_is_not_json_is_refused(self, client: type[Clipia], value: Any) -> None:
        with pytest.raises(ClipiaValueError, match="the input cannot be written as JSON"):
            client(KEY).submit("nano-banana-2", {"prompt": value})


def test_an_input_that_is_no_mapping_is_refused() -> None:
    for value in (["prompt"], "prompt", None):
        with pytest.raises(ClipiaValueError, match="must be a JSON object"):
            Clipia(KEY, base_url="http://127.0.0.1:9").submit("nano-banana-2", value)  # type: ignore[arg-type]


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


def test_names_read_as_they_are_imported() -> None:
    for name in clipia_queue.__all__:
        thing = getattr(clipia_queue, name)
        if isinstance(thing, type) and not name[0].islower() and "_types" not in thing.__module__:
            assert f"{thing.__module__}.{thing.__qualname__}" == f"clipia_queue.{name}"


def test_statuses() -> None:
    assert {"COMPLETED", "FAILED", "CANCELED"} == clipia_queue.TERMINAL_STATUSES
    assert {clipia_queue.IN_QUEUE, clipia_queue.IN_PROGRESS} == {"IN_QUEUE", "IN_PROGRESS"}
