"""What a GPU-hour costs, from the operator's settings or from an annotation of the resource: hours in money."""

import re
from decimal import Decimal
from typing import Annotated, NamedTuple

from pydantic import Field

from breakeven.api.base import StatusModel
from breakeven.api.scalars import DecimalString, NotNegative

_PRICE = re.compile(r"(?P<amount>[0-9]{1,6}(?:\.[0-9]{1,6})?)(?: +(?P<currency>[^\s\"\\]{1,8}))?")
CENT = Decimal("0.01")


class GpuHour(NamedTuple):
    """The price of one GPU for one hour."""

    amount: Decimal
    currency: str
    """As it is shown after amounts, such as EUR. Empty: amounts stand alone."""


def parse_gpu_hour(text: str, *, currency: str = "") -> GpuHour:
    """Read `2.50 EUR`, or `2.50` in the given currency.

    Raises
    ------
    ValueError
        If it is no such price; the message says what to write.
    """
    found = _PRICE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:40]!r} is no price of a GPU-hour; write for example 2.50 EUR")
    return GpuHour(Decimal(found["amount"]), found["currency"] or currency)


class Price(StatusModel):
    """What turns hours of replicas into money."""

    gpu_hour: NotNegative
    """Price of one GPU for one hour."""
    currency: Annotated[str, Field(max_length=8)] = ""
    """As it is shown after amounts. Empty: amounts stand alone."""
    gpus: Annotated[int, Field(ge=1)]
    """GPUs of one replica."""

    def of(self, replica_hours: DecimalString) -> Decimal:
        """So many hours of replicas in money, to the cent."""
        return (replica_hours * self.gpus * self.gpu_hour).quantize(CENT)

    def shown(self, amount: Decimal) -> str:
        """An amount with its currency."""
        return f"{amount:.2f} {self.currency}".rstrip()
