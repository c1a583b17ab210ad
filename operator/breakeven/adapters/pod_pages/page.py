"""One page of an engine's `/metrics` as a scrape. Pure."""

import re
from collections.abc import Iterable, Iterator

from prometheus_client.parser import text_string_to_metric_families

from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.observation import Scrape
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.counters.vllm_metrics import ANCHOR, BUCKETS, Series

_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:.]*")
_LONGEST_LINE = 8192
"""Characters of a line: a label with the whole configuration has some two thousand."""


class Unreadable(ValueError):
    """The page is none of a vLLM; the message says why in a few words."""


def read_page(text: str, *, at: float, prefix: str | None, buckets: bool) -> Scrape:
    """The counters of an engine, its data-parallel ranks added up.

    Parameters
    ----------
    at
        Unix seconds when it was asked for.
    prefix
        In front of every name. None: the one that most of vLLM's families have.
    buckets
        Whether histograms are wanted: they are three quarters of the page.

    Raises
    ------
    Unreadable
        If it has no counters of a vLLM, or lines that are no metrics among them.
    """
    lines = [line for line in text.splitlines() if line and line[0] != "#" and len(line) <= _LONGEST_LINE]
    found = prefix if prefix is not None else vllm_metrics.best_prefix(set(_names(lines)))
    if found is None:
        raise Unreadable("it has no counters of a vLLM: is --disable-log-stats set?")
    wanted = [line for line in lines if line.startswith(found) and (buckets or not _is_bucket(line, found))]
    values: dict[Series, float] = {}
    try:
        # Without `# TYPE` lines the parser leaves names as they are.
        for family in text_string_to_metric_families("\n".join(wanted) + "\n"):
            for sample in family.samples:
                series = vllm_metrics.series_of(sample.name.removeprefix(found), sample.labels)
                if series is not None:
                    vllm_metrics.merge(values, series, float(sample.value))
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"a line of it is no metric: {error}"[:200]) from None
    if Series(ANCHOR) not in values:
        raise Unreadable(f"it has no {found}{ANCHOR}_total")
    return scrape_of(at, values)


def _names(lines: Iterable[str]) -> Iterator[str]:
    return (match[0] for line in lines if (match := _NAME.match(line)) is not None)


def _is_bucket(line: str, prefix: str) -> bool:
    return line[len(prefix) :].partition("{")[0] in BUCKETS
