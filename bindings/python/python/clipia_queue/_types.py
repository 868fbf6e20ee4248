"""The dicts that the catalogue and the account come as. A newer API may add keys."""

from __future__ import annotations

from typing import Any, TypedDict


class _ModelRequired(TypedDict):
    slug: str
    type: str


class Model(_ModelRequired, total=False):
    """One model of the catalogue."""

    name: str
    description: str
    capabilities: list[str]
    pricing: Pricing
    text_limits: TextLimits
    input_schema: InputSchema


class ModelList(TypedDict):
    """The catalogue."""

    data: list[Model]


class Pricing(TypedDict, total=False):
    """How an input is priced."""

    credits: float
    credits_base: float
    multipliers: dict[str, dict[str, float]]
    billing_unit: str
    unit_size: float
    minimum_credits: int
    estimate_required: bool
    note: str


class TextLimits(TypedDict, total=False):
    """How long the text may be that a speech model reads."""

    min_chars: int
    max_chars: int


class InputSchema(TypedDict):
    """What a model takes."""

    parameters: list[InputParameter]


class _InputParameterRequired(TypedDict):
    name: str
    type: str


class InputParameter(_InputParameterRequired, total=False):
    """One key of a model's input."""

    required: bool
    default: Any
    label: str
    hint: str
    options: list[Any]
    min: float
    max: float
    step: float
    minLength: int
    maxLength: int
    validation: Any


class Balance(TypedDict):
    """What can be spent now; reserved credits are not in it."""

    credits: int


class Usage(TypedDict):
    """What the last 30 days used."""

    requests: int
    credits_spent: int


class _AccountRequired(TypedDict):
    account_id: str
    balance: Balance


class Account(_AccountRequired, total=False):
    """The account behind a key."""

    usage_30d: Usage
