"""One replica that does otherwise than its siblings, while the arm as a whole is judged.

Each replica is compared with the median of the others, in units of their own spread (median absolute deviation), with
a floor under that spread because siblings can be alike by chance. A replica's own noise between batches counts as well:
one with little traffic is not far from anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from breakeven.domain.counters.observation import Batch, Share
from breakeven.domain.counters.shares import by_replica
from breakeven.domain.measures.statistics import FEWEST_BATCHES, quantile

FEWEST_REPLICAS = 3
"""With two nobody can say which of them is the odd one."""
FAR = 4.0
"""Spreads of the siblings that a replica must be away from their median."""
NORMAL = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""
ACCEPTANCE_FLOOR = 0.05
"""Least distance of accepted / drafted: what within-day differences between workloads explain."""
STEP_FLOOR = 0.10
"""Least distance of the step time, as a share of the siblings' median."""
RARE = 1e-5
"""One-sided error rate of a replica's own bound: a day has a thousand comparisons and more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """One replica and the figure that is far from its siblings'."""

    replica: str
    """Name of its pod."""
    figure: str
    """`acceptance` or `step time`."""
    value: float
    """Accepted / drafted, or seconds."""
    siblings: float
    """Median of the others."""
    of: int
    """How many the others are."""
    requests: float
    """Finished requests of this replica in the judged windows."""
    load: float | None
    """Its request-steps over the median of the others'."""
    worse: bool
    """Whether it accepts less, or takes longer."""
    distance: float
    """In floors."""

    def in_words(self) -> str:
        """The figures."""
        if self.figure == "acceptance":
            told = f"acceptance {self.value:.3f} against {self.siblings:.3f}"
        else:
            told = f"step time {self.value * 1000:.3g} ms against {self.siblings * 1000:.3g} ms"
        load = f", with x{self.load:.2f} their request-steps" if self.load is not None else ""
        return f"{told}, the median of the {self.of} others, over {self.requests:.0f} requests{load}"


@dataclass(frozen=True, slots=True)
class _Figure:
    """One figure of one replica with its error."""

    value: float
    error: float
    freedom: int


def outliers(batches: Sequence[Batch], *, min_requests: float, nearer: float = 1.0) -> Sequence[Outlier]:
    """Replicas that are far from their siblings, the farthest first.

    `min_requests` must have finished on a replica in these batches for it to count, as itself or as a sibling.
    `nearer` is a share of every distance, for one that was found before.
    """
    shares = {
        name: each
        for name, each in by_replica(batches).items()
        if sum(share.finished or 0.0 for share in each) >= max(min_requests, 1.0)
    }
    if len(shares) < FEWEST_REPLICAS:
        return ()
    found = [outlier for name, figure in _figures(shares) for outlier in _far(name, figure, shares, nearer)]
    return sorted(found, key=lambda outlier: (-outlier.distance, outlier.replica))


def _figures(shares: dict[str, Sequence[Share]]) -> Sequence[tuple[str, dict[str, _Figure]]]:
    """Both figures with every replica that has them."""
    acceptance = {name: _ratio([s.accepted for s in each], [s.drafted for s in each]) for name, each in shares.items()}
    steps = {name: _ratio([s.step_seconds for s in each], [s.steps for s in each]) for name, each in shares.items()}
    return [
        (figure, {name: value for name, value in known.items() if value is not None})
        for figure, known in (("acceptance", acceptance), ("step time", steps))
    ]


def _far(
    figure: str, known: dict[str, _Figure], shares: dict[str, Sequence[Share]], nearer: float
) -> Sequence[Outlier]:
    if len(known) < FEWEST_REPLICAS:
        return ()
    found = []
    for name, own in known.items():
        others = [each.value for other, each in known.items() if other != name]
        middle = median(others)
        floor = ACCEPTANCE_FLOOR if figure == "acceptance" else STEP_FLOOR * middle
        spread = NORMAL * median(abs(value - middle) for value in others)
        away = abs(own.value - middle)
        noise = quantile(own.freedom, RARE) * own.error if nearer == 1.0 else 0.0
        if floor <= 0 or away - noise <= nearer * floor or away <= nearer * FAR * spread:
            continue
        found.append(
            Outlier(
                replica=name,
                figure=figure,
                value=own.value,
                siblings=middle,
                of=len(others),
                requests=sum(share.finished or 0.0 for share in shares[name]),
                load=_load(name, shares),
                worse=own.value < middle if figure == "acceptance" else own.value > middle,
                distance=away / floor,
            )
        )
    return found


def _load(name: str, shares: dict[str, Sequence[Share]]) -> float | None:
    steps = {replica: sum(s.steps or 0.0 for s in each) / len(each) for replica, each in shares.items()}
    middle = median(value for replica, value in steps.items() if replica != name)
    return steps[name] / middle if middle > 0 else None


def _ratio(over: Sequence[float | None], under: Sequence[float | None]) -> _Figure | None:
    """Sum over sum, its standard error from the residuals of the batches; None when it cannot be determined."""
    pairs = [(a, n) for a, n in zip(over, under, strict=True) if a is not None and n is not None]
    total = sum(n for _, n in pairs)
    if len(pairs) < max(FEWEST_BATCHES, len(over)) or not 0 < total < 1e15:
        return None
    value = sum(a for a, _ in pairs) / total
    residuals = sum((a - value * n) * (a - value * n) for a, n in pairs)
    return _Figure(value, sqrt(residuals * len(pairs) / (len(pairs) - 1)) / total, len(pairs) - 1)
