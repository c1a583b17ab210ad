"""Statuses that nobody's operator wrote: anything that the models of the memory take, extremes first."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from breakeven.api.scalars import DECIMAL_PATTERN, format_time
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Memory
from breakeven.api.variant import Variant, declared_variant

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_TIMES = ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00"]
_NEAR = st.integers(-200_000, 2_000).map(lambda seconds: format_time(NOW + timedelta(seconds=seconds)))
_DECIMALS = ["0", "-1", "0.000000001", "0.5", "1", "1.4", "16", "999999999.999999999", "-999999999"]
_INTEGERS = [-5, -1, 0, 1, 2, 3, 100, 10**6, 10**15, 10**30]
_WORDS = ["", "Hurts", "Pays", "LoadNotMeasured", "BelowBreakEven", "Auto", "AlwaysOn", "promote", "Schedule", "Longer"]


def _values(schema: dict[str, Any], definitions: dict[str, Any], variants: list[Any]) -> st.SearchStrategy[Any]:
    """Wire values of one JSON schema as pydantic writes it."""
    if "$ref" in schema:
        return _values(definitions[schema["$ref"].rpartition("/")[2]], definitions, variants)
    if "anyOf" in schema:
        return st.one_of(*(_values(option, definitions, variants) for option in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.sampled_from(_INTEGERS)
    if kind == "array":
        return st.lists(_values(schema["items"], definitions, variants), max_size=3)
    if kind == "object":
        if "properties" not in schema:
            return st.sampled_from(variants)
        members = {
            name: _values(member, definitions, variants) for name, member in sorted(schema["properties"].items())
        }
        required = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: value for name, value in members.items() if name in required},
            optional={name: value for name, value in members.items() if name not in required},
        )
    assert kind == "string", schema
    if schema.get("format") == "date-time":
        return st.one_of(_NEAR, st.sampled_from(_TIMES))
    return st.sampled_from(_DECIMALS if schema.get("pattern") == DECIMAL_PATTERN else _WORDS)


def _taken(wire: dict[str, Any]) -> Memory:
    """The memory with every field that the models refuse left out."""
    while True:
        try:
            return Memory.model_validate(wire)
        except ValidationError as error:
            refused = {e["loc"][0] for e in error.errors()}
            wire = {name: value for name, value in wire.items() if name not in refused}


def memories(spec: SpeculativeDeploymentSpec) -> st.SearchStrategy[Memory]:
    """Any memory that a status can bring to this spec."""
    wished = declared_variant(spec)
    older = wished.model_copy(update={"engine": wished.engine.model_copy(update={"image": "vllm/vllm-openai:v0.31.0"})})
    known: list[Variant] = [wished, wished.baseline, older, older.baseline]
    schema = Memory.model_json_schema(mode="serialization")
    values = _values(schema, schema["$defs"], [v.model_dump(mode="json", exclude_none=True) for v in known])
    return values.map(_taken)
