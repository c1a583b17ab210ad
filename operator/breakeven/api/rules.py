"""Rules that a schema cannot say, each written once for the API server (CEL) and once for Python, with one message.

A rule on a model is a `Rule` in its `rules`; a rule on a scalar is one of the ranges below, put into the `Annotated` of the
field. Both reach the CRD as `x-kubernetes-validations`, and both run in pydantic, so that the command line and the controller
refuse what the API server refuses, in the same words. Every message says what to write.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from breakeven.api.scalars import DECIMAL_PATTERN, DURATION_PATTERN, parse_duration

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Something that must hold between the fields of one object."""

    field: str
    """The field to change, relative to the object, as on the wire."""
    message: str
    """What to write instead."""
    cel: str
    """The rule for the API server; `self` is the object."""
    holds: Callable[[Any], bool] | None
    """The same rule on the pydantic model. None: a room above checks it in more detail, and says so in its own words."""

    @property
    def validation(self) -> dict[str, str]:
        """The entry of `x-kubernetes-validations`."""
        entry = {"rule": self.cel, "message": self.message}
        return entry | {"fieldPath": f".{self.field}"} if self.field else entry


def broken(rules: tuple[Rule, ...], value: Any) -> str:
    """Return the messages of the rules that do not hold, or an empty text."""
    return "; ".join(f"{rule.field}: {rule.message}" for rule in rules if rule.holds and not rule.holds(value))


class _Checked(ABC):
    """Base of the scalar rules: a CEL rule, a Python check and one message."""

    __slots__ = ()

    @property
    @abstractmethod
    def cel(self) -> str:
        """The rule for the API server; `self` is the scalar."""

    @property
    @abstractmethod
    def message(self) -> str:
        """What to write instead."""

    @abstractmethod
    def holds(self, value: Any) -> bool:
        """The same rule on the Python value."""

    def schema(self) -> dict[str, Any]:
        """What else the schema says."""
        return {}

    def _check(self, value: Any) -> Any:
        if not self.holds(value):
            raise ValueError(self.message)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), **self.schema(), VALIDATIONS: [{"rule": self.cel, "message": self.message}]}


@dataclass(frozen=True, slots=True)
class DurationRange(_Checked):
    """A duration within two bounds, both included."""

    low: str
    high: str

    @property
    def message(self) -> str:
        return f"write a duration from {self.low} to {self.high}, for example 90s, 10m or 1h30m"

    @property
    def cel(self) -> str:
        return (
            f"self.matches(r'{DURATION_PATTERN}') && duration(self) >= duration('{self.low}')"
            f" && duration(self) <= duration('{self.high}')"
        )

    def holds(self, value: timedelta) -> bool:
        return parse_duration(self.low) <= value <= parse_duration(self.high)


@dataclass(frozen=True, slots=True)
class DecimalRange(_Checked):
    """A decimal number within two bounds, the upper one included."""

    low: str
    high: str
    above: bool = False
    """Whether the lower bound itself is excluded."""

    @property
    def message(self) -> str:
        lower = f"above {self.low} and at most" if self.above else f"from {self.low} to"
        return f'write a decimal number {lower} {self.high}, in quotes, for example "{self._example}"'

    @property
    def cel(self) -> str:
        return (
            f"self.matches(r'{DECIMAL_PATTERN}') && double(self) {'>' if self.above else '>='} {float(self.low)}"
            f" && double(self) <= {float(self.high)}"
        )

    def holds(self, value: Decimal) -> bool:
        low, high = Decimal(self.low), Decimal(self.high)
        return (low < value if self.above else low <= value) and value <= high

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        checked = core_schema.no_info_after_validator_function(self._check, handler(source))
        return core_schema.no_info_before_validator_function(self._quoted, checked)

    def _quoted(self, value: Any) -> Any:
        # YAML reads 0.5 as a float, which the API server refuses in a field that is a string.
        if isinstance(value, int | float):
            raise ValueError(f"{self.message}; this is {value} without quotes")
        return value

    @property
    def _example(self) -> str:
        return "0.9" if Decimal(self.high) <= 1 else "1.05"


@dataclass(frozen=True, slots=True)
class Pattern(_Checked):
    """A string of a certain form, with words for those who miss it. The pattern is RE2: no look-around."""

    regex: str
    write: str

    @property
    def message(self) -> str:
        return self.write

    @property
    def cel(self) -> str:
        return f"self.matches(r'{self.regex}')"

    def holds(self, value: str) -> bool:
        return re.search(f"{self.regex.removesuffix('$')}\\Z", value) is not None

    def schema(self) -> dict[str, Any]:
        return {"pattern": self.regex}
