"""What every model of the resource shares: camelCase on the wire, snake_case in Python, frozen values."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from breakeven.api.rules import VALIDATIONS, Rule, broken

GROUP = "breakeven.dev"
VERSION = "v1alpha1"
KIND = "SpeculativeDeployment"
PLURAL = "speculativedeployments"
SINGULAR = "speculativedeployment"
SHORT_NAME = "spd"
API_VERSION = f"{GROUP}/{VERSION}"


class SpecModel(BaseModel):
    """A part of `spec`: written by people, so an unknown field is an error."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()
    """What must hold between the fields, here and in the API server."""

    @model_validator(mode="after")
    def _keep_the_rules(self) -> Self:
        if complaint := broken(self.rules, self):
            raise ValueError(complaint)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        written = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            written[VALIDATIONS] = [rule.validation for rule in cls.rules]
        return written


class StatusModel(BaseModel):
    """A part of `status`: written by the controller, so fields of another release are passed over."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )
