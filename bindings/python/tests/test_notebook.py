"""Results in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from clipia_queue import ResultResponse
from peer import example


def shown(result: ResultResponse) -> list[tuple[str, dict[str, str | None]]]:
    """The HTML elements of a result, with their attributes."""
    elements: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            elements.append((tag, dict(attrs)))

    html = result._repr_html_()  # type: ignore[attr-defined]
    if html is not None:
        Reader().feed(html)
    return elements


@pytest.mark.parametrize(
    ("name", "tag", "file"),
    [
        ("image", "img", "0.webp"),
        ("images", "img", None),
        ("video", "video", None),
        ("audio", "audio", "0.wav"),
        ("audios", "audio", "0.mp3"),
    ],
)
def test_the_first_file_is_shown(name: str, tag: str, file: str | None) -> None:
    response = example(f"ResultResponse.{name}")
    elements = shown(ResultResponse.from_dict(response))
    ((_, attributes),) = [element for element in elements if element[0] == tag]
    source = attributes["src"]
    assert source is not None
    assert source in str(response["output"])
    assert file is None or source.endswith(f"/{file}")
    assert not {"script", "iframe"} & {element for element, _ in elements}


def made(**output: Any) -> ResultResponse:
    return ResultResponse.from_dict(example("ResultResponse.image") | {"output": output})


def test_a_url_cannot_leave_its_attribute() -> None:
    url = 'https://media.clipia.ai/a.png?x=1&y="><script>alert(1)</script>'
    elements = shown(made(images=[{"url": url}]))
    assert [tag for tag, _ in elements] == ["figure", "img", "figcaption", "small"]
    assert elements[1][1]["src"] == url


def test_the_model_is_escaped() -> None:
    result = ResultResponse.from_dict(example("ResultResponse.image") | {"model": "<b onload=alert(1)>"})
    assert "b" not in [tag for tag, _ in shown(result)]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "", "/etc/passwd"])
def test_only_http_urls_are_shown(url: str) -> None:
    assert shown(made(images=[{"url": url}])) == []


def test_the_first_url_that_can_be_shown_is_shown() -> None:
    elements = shown(made(images=[{"url": "x"}, {"url": "https://media.clipia.ai/b.png"}]))
    assert elements[1][1]["src"] == "https://media.clipia.ai/b.png"


@pytest.mark.parametrize("name", ["failed", "canceled", "in_queue", "in_progress"])
def test_a_result_without_an_output_shows_its_repr(name: str) -> None:
    assert shown(ResultResponse.from_dict(example(f"ResultResponse.{name}"))) == []
