"""What checking a configuration finds: refusals, which no pod may be made for, and cautions, which are only said."""

from dataclasses import dataclass

from breakeven.api.vocabulary import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRemark:
    """One remark about one field."""

    field: str
    """The field of `spec` to change, as on the wire, for example `draft.method`."""
    reason: Reason
    message: str
    """Names the field, says what to write instead and, where versions differ, which ones can."""
    rule: str = ""
    """Name of the entry in the table's `incompatibilities` it comes from; empty when there is none."""

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(EngineRemark):
    """This cannot start, or would not do what was asked: no pod is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution(EngineRemark):
    """This starts, and may hurt."""

    reason: Reason = Reason.ADVICE
