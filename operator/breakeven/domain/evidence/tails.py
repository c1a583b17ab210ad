"""Medians and tails of both arms, side by side, over as many recent windows as histograms were asked for.

A control of one replica has too few requests for a P99 in one window, so up to six are taken together. Histograms are
not read for every arm at every moment (docs/metrics.md): where there is none in the newest batch, nothing is told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from breakeven.api.status import LatencyStatus, QuantileStatus
from breakeven.domain.counters.observation import Batch, Buckets, Totals
from breakeven.domain.counters.windows import Span
from breakeven.domain.evidence.judgement import Judged, Judgement
from breakeven.domain.measures.figures import rounded
from breakeven.domain.measures.latency import TailRatio, plain_ratio, tail_ratio, tpot_buckets, ttft_buckets
from breakeven.domain.situation import Situation

RECENT = 6
"""Windows that are taken together, at most."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """Which quantile of which histogram."""

    q: float
    buckets: Callable[[Totals], Buckets]


TPOT = (Quantile(0.50, tpot_buckets), Quantile(0.99, tpot_buckets))
TTFT = (Quantile(0.50, ttft_buckets), Quantile(0.95, ttft_buckets))


def ratio(situation: Situation, judgement: Judgement, wanted: Quantile) -> TailRatio | str:
    """The ratio of one quantile, or why it cannot be determined, in words."""
    if not _histograms(judgement, wanted):
        return "there is no histogram in one of the arms"
    off, on = recent(situation, judgement)
    return tail_ratio(off, on, wanted.q, wanted.buckets)


def might_be_mixed(situation: Situation, judgement: Judgement, pair: tuple[Quantile, Quantile], limit: float) -> bool:
    """Whether the first quantile is lower and the second one higher than the limit, by the figures without bounds."""
    if not has_histograms(judgement, pair):
        return False
    off, on = recent(situation, judgement)
    tail = plain_ratio(off, on, pair[1].q, pair[1].buckets)
    if tail is None or tail <= limit:
        return False
    middle = plain_ratio(off, on, pair[0].q, pair[0].buckets)
    return middle is not None and middle < 1


def has_histograms(judgement: Judgement, pair: tuple[Quantile, Quantile]) -> bool:
    """Whether both arms have these histograms at present."""
    return all(_histograms(judgement, each) for each in pair)


def _histograms(judgement: Judgement, wanted: Quantile) -> bool:
    newest = [batches[-1] for batches in (judgement.off_batches, judgement.on_batches) if batches]
    return len(newest) == 2 and all(wanted.buckets(batch.totals) for batch in newest)


def recent(situation: Situation, judgement: Judgement, most: int = RECENT) -> tuple[Sequence[Batch], Sequence[Batch]]:
    """Batches of the control and of what speculates: the judged ones, or those of so many windows if that is more."""
    windows = min(judgement.windows, most)
    off, on = situation.arm(situation.stable.baseline), situation.arm(situation.stable)
    if situation.on_trial or judgement.span is None or windows <= judgement.span.level or off is None or on is None:
        return judgement.off_batches, judgement.on_batches
    span = Span(judgement.span.end - windows * situation.evidence.window.total_seconds(), judgement.span.end, windows)
    return span.of(off.batches), span.of(on.batches)


def side_by_side(situation: Situation, judgement: Judgement) -> LatencyStatus | None:
    """All quantiles that can be determined, for the status; None when there are none."""
    if not isinstance(judgement, Judged) or not judgement.live_control:
        return None
    known = [_status(ratio(situation, judgement, each)) for each in (*TPOT, *TTFT)]
    if not any(known):
        return None
    return LatencyStatus(tpot_p50=known[0], tpot_p99=known[1], ttft_p50=known[2], ttft_p95=known[3])


def _status(tail: TailRatio | str) -> QuantileStatus | None:
    if isinstance(tail, str):
        return None
    figures = [rounded(each) for each in (tail.off * 1000, tail.on * 1000, tail.value, tail.lower, tail.upper)]
    known = [each for each in figures if each is not None]
    if len(known) < len(figures):
        return None
    return QuantileStatus(off_ms=known[0], on_ms=known[1], ratio=known[2], lower=known[3], upper=known[4])
