"""Batches of one arm, made once each: a window of hours is looked at every few seconds."""

from collections.abc import Mapping, Sequence

from breakeven.domain.batches import Replica, batch_of, shares
from breakeven.domain.observation import Batch, Totals

RECENT = 10
"""Batches that the shares of the replicas are told for."""


class ArmBatches:
    """Remembers the batches of one arm until its replicas change."""

    def __init__(self) -> None:
        self._of: object = None
        self._made: dict[int, Batch | None] = {}
        self._answer: tuple[tuple[Batch, ...], Mapping[str, Totals]] = ((), {})
        self._numbers = range(0)

    def batches(
        self, replicas: Sequence[Replica], *, length: float, warmup: float, numbers: range, firm: int
    ) -> tuple[tuple[Batch, ...], Mapping[str, Totals]]:
        """Batches with these numbers, and what each replica contributed to the last of them.

        From `firm` on a replica that is not scraped at the moment may still add to a batch: those are made again.
        """
        ordered = sorted(replicas, key=lambda r: r.name)
        of = (length, warmup, tuple((r.name, r.serial, r.ready_since, tuple(r.restarts)) for r in ordered))
        if of != self._of:
            self._of, self._made, self._numbers = of, {}, range(0)
        if numbers == self._numbers and firm >= numbers.stop:
            return self._answer
        self._made = {n: b for n, b in self._made.items() if n in numbers and n < firm}
        for n in numbers:
            if n not in self._made:
                self._made[n] = batch_of(ordered, n, length=length, warmup=warmup)
        found = tuple(b for n in numbers if (b := self._made[n]) is not None)
        recent = numbers[-RECENT:]
        self._answer = found, shares(ordered, length=length, warmup=warmup, numbers=recent)
        self._numbers = numbers
        return self._answer
