"""What `breakeven measure` found without speculation, for the stored control to begin with."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from breakeven.api.base import SpecModel
from breakeven.api.choices import DraftMethod
from breakeven.api.hardware import AcceleratorName
from breakeven.api.rules import DecimalRange
from breakeven.api.scalars import DecimalString, Time
from breakeven.api.serving import ModelName, ReleaseNumber

MOST_LOADS = 32
"""As many bands as the stored control keeps."""
LEAST_ERROR = Decimal("0.03")
"""Relative error where none is given. A load of one's own has other lengths of prompts and answers than the traffic."""


class CalibratedLoad(SpecModel):
    """The time per output token without speculation at one load."""

    load: Annotated[DecimalString, DecimalRange("0", "10000000", above=True)]
    """Output tokens a second and replica that were served without speculation: the offered load."""
    plain_ms: Annotated[DecimalString, DecimalRange("0", "100000", above=True)]
    """Mean time per output token without speculation at that load, in milliseconds."""
    error: Annotated[DecimalString, DecimalRange("0", "0.2")] = LEAST_ERROR
    """Relative standard error of that time. Default 0.03."""


class CalibrationSpec(SpecModel):
    """Times without speculation that were measured before there was traffic, and for what: speculation is judged by them where no replica was measured without it. A measurement on live traffic always goes before."""

    engine_version: ReleaseNumber
    """vLLM version it was measured on, for example 0.33.0."""
    accelerator: AcceleratorName
    """GPU model it was measured on, as in `hardware.accelerators`."""
    gpus_per_replica: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs of the replica it was measured on. Default 1."""
    target: ModelName
    """Target model it was measured for, as in `target.model`."""
    method: DraftMethod = DraftMethod.DRAFT_MODEL
    """Drafting method it was measured for. Default DraftModel."""
    draft: ModelName | None = None
    """Draft model it was measured for, as in `draft.model`. Absent: a method that needs none."""
    measured_at: Time
    """When it was measured. It is used for seven days, as everything that is stored by load."""
    loads: Annotated[list[CalibratedLoad], Field(min_length=1, max_length=MOST_LOADS)]
    """What was measured, by load. Loads apart by less than a factor of about 1.5 are one band, which takes the nearest to its middle."""
