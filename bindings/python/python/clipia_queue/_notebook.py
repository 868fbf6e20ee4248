"""Results in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, cast

from clipia_queue._statuses import COMPLETED

if TYPE_CHECKING:
    from clipia_queue._clipia_queue import ResultResponse

STYLE = "max-width: 100%; max-height: 32em"


def html(result: ResultResponse) -> str | None:
    """The first clip, image or sound, which the browser fetches; nothing for a result without one."""
    if result.status != COMPLETED or result.output is None:
        return None
    shown = _media(result.output)
    if shown is None:
        return None
    caption = " · ".join(filter(None, (result.model, result.request_id)))
    return f"<figure>{shown}<figcaption><small>{escape(caption)}</small></figcaption></figure>"


def _media(output: dict[str, Any]) -> str | None:
    if url := _url(output.get("video")):
        return f'<video src="{url}" style="{STYLE}" controls loop></video>'
    if url := _first(output.get("images")):
        return f'<img src="{url}" style="{STYLE}">'
    if url := _url(output.get("audio")) or _first(output.get("audios")):
        return f'<audio src="{url}" controls></audio>'
    return None


def _first(files: object) -> str | None:
    files = cast("list[object]", files) if isinstance(files, list) else []
    return next(filter(None, map(_url, files)), None)


def _url(file: object) -> str | None:
    """The URL of the rendition, escaped for an attribute. Only http and https, so that it is no script."""
    url = cast("dict[str, object]", file).get("url") if isinstance(file, dict) else None
    if isinstance(url, str) and url.lower().startswith(("https://", "http://")):
        return escape(url)
    return None
