"""What is wanted of one pod."""

from dataclasses import dataclass

from breakeven.adapters.prometheus.naming import Naming, Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A pod whose metrics are read."""

    length: float
    """Seconds of a batch."""
    keep: float
    """Seconds of the past, history and warm-up."""
    started: float | None
    """Unix seconds; its metrics begin here."""
    buckets: bool = False
    address: str | None = None
    """Host and port of its engine, for reading its own page; None: not known."""
    prefix: str | None = None
    namespace_label: str | None = None
    pod_label: str | None = None

    @property
    def pairs(self) -> Pairs:
        """Label names that may carry it."""
        return Pairs.of(self.namespace_label, self.pod_label)

    def may_be(self, naming: Naming) -> bool:
        """Whether it may be named so."""
        pairs = self.pairs
        return (
            (self.prefix or naming.prefix) == naming.prefix
            and (naming.namespace, naming.pod) in pairs.pairs
            and naming.believed == pairs.believed
        )
