"""The catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, SupportsIndex, overload

from clipia_queue._types import Model


class ModelList(dict[str, Any]):
    """The catalogue as the API sends it, a dict with the models under ``data``, and the list of these models.

    ``len``, iteration, ``reversed`` and indices are those of the list. ``in`` takes a model or a key.
    """

    __module__ = "clipia_queue"

    @property
    def data(self) -> list[Model]:
        """The models."""
        models: list[Model] = super().__getitem__("data")
        return models

    def __iter__(self) -> Iterator[Model]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return iter(self.data)

    def __reversed__(self) -> Iterator[Model]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        models: Iterator[Model] = reversed(self.data)
        return models

    def __len__(self) -> int:
        return len(self.data)

    def __contains__(self, item: object) -> bool:
        return super().__contains__(item) if isinstance(item, str) else item in self.data

    @overload
    def __getitem__(self, key: Literal["data"], /) -> list[Model]: ...
    @overload
    def __getitem__(self, key: str, /) -> Any: ...
    @overload
    def __getitem__(self, key: SupportsIndex, /) -> Model: ...
    @overload
    def __getitem__(self, key: slice, /) -> list[Model]: ...
    def __getitem__(self, key: str | SupportsIndex | slice, /) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.data[key]
