"""Types of the dicts of the catalogue and the account. A newer API may add keys."""

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
    procedural: bool
    pricing: Pricing
    text_limits: TextLimits
    input_schema: InputSchema


class Pricing(TypedDict, total=False):
    """The pricing of a model."""

    credits: float
    credits_base: float
    multipliers: dict[str, dict[str, float]]
    billing_unit: str
    unit_size: float
    minimum_credits: int
    estimate_required: bool
    note: str


class TextLimits(TypedDict, total=False):
    """The limits for the text that a speech model reads."""

    min_chars: int
    max_chars: int


class InputSchema(TypedDict):
    """The parameters of a model."""

    parameters: list[InputParameter]


class _InputParameterRequired(TypedDict):
    name: str
    type: str


class InputParameter(_InputParameterRequired, total=False):
    """A parameter of a model."""

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
    """The credits that can be spent now, without reserved credits."""

    credits: int


class Usage(TypedDict):
    """The usage of the last 30 days."""

    requests: int
    credits_spent: int


class _AccountRequired(TypedDict):
    account_id: str
    balance: Balance


class Account(_AccountRequired, total=False):
    """The account of a key."""

    usage_30d: Usage
