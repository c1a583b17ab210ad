"""What is asked: series by their metric names and the labels of their pods, in one query or name by name.

Prometheus matches metric names by a pattern, so one query brings all of them. Google Managed Prometheus refuses that
and GreptimeDB takes it for one name only: there the same series are asked for name by name.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from breakeven.adapters.prometheus.client import regex_of
from breakeven.adapters.prometheus.naming import Naming
from breakeven.domain.counters import vllm_metrics

KNOWN_PREFIXES = ("vllm:", "kserve_vllm:", "vllm_")
"""Prefixes that are tried where names cannot be matched by a pattern; any other has to be set."""
_PLAIN_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Series of several metric names."""

    names: tuple[str, ...]
    """Metric names, with their prefix. Those that do not exist cost nothing."""
    pattern: str = ""
    """Matches more names than can be listed; empty: exactly `names`."""
    matchers: str = ""
    """Label matchers, comma-separated; empty: none."""
    milliseconds: int = 0
    """Length of the range; 0: the newest sample only."""
    within: str = "{}"
    """What the query does with the selector, which stands for the braces."""

    @property
    def together(self) -> str:
        """One query for all names."""
        return self._query("", f'__name__=~"{self.pattern or regex_of(self.names)}"')

    @property
    def by_name(self) -> tuple[str, ...]:
        """One query for each name."""
        return tuple(
            self._query(name, "") if _PLAIN_NAME.fullmatch(name) else self._query("", f"__name__={json.dumps(name)}")
            for name in self.names
        )

    def _query(self, name: str, matcher: str) -> str:
        inside = ",".join(part for part in (matcher, self.matchers) if part)
        span = f"[{self.milliseconds}ms]" if self.milliseconds else ""
        return self.within.replace("{}", f"{name}{{{inside}}}{span}")


def anchor_selector(prefix: str | None) -> Selector:
    """The count of emitted tokens of every vLLM, to see how its series are named."""
    names = tuple(
        f"{p}{vllm_metrics.ANCHOR}{suffix}"
        for p in ((prefix,) if prefix is not None else KNOWN_PREFIXES)
        for suffix in ("_total", "")
    )
    stem = regex_of([prefix]) if prefix is not None else ".*"
    return Selector(names=names, pattern=f"{stem}{vllm_metrics.ANCHOR}(_total)?")


def pod_selectors(
    known: Iterable[Naming],
    namespaces: Sequence[str],
    *,
    buckets: bool,
    seconds: float,
    pods: Sequence[str] = (),
    within: str = "{}",
) -> Iterator[Selector]:
    """One selector for each pair of label names, whatever the number of pods. No seconds: the newest sample."""
    by_labels: dict[tuple[str, str, bool], set[str]] = {}
    for naming in known:
        by_labels.setdefault((naming.namespace, naming.pod, naming.with_port), set()).add(naming.prefix)
    for (namespace, pod, with_port), prefixes in sorted(by_labels.items()):
        matchers = [f'{_label(namespace)}=~"{regex_of(namespaces)}"']
        if pods:
            one = regex_of(pods)
            matchers.append(f'{_label(pod)}=~"({one}):[0-9]+"' if with_port else f'{_label(pod)}=~"{one}"')
        yield Selector(
            names=tuple(f"{p}{n}" for p in sorted(prefixes) for n in vllm_metrics.exported(buckets=buckets)),
            matchers=",".join(matchers),
            milliseconds=max(1, round(seconds * 1000)) if seconds else 0,
            within=within,
        )


def at_ends(length: float, count: int) -> str:
    """What a query does with a selector for the newest sample of its range at the last `count` ends of batches.

    A subquery is evaluated at multiples of its step, which batches of whole milliseconds lie on; the moment that is
    asked about has to be one as well, for servers that count from there. Names stay under `last_over_time`.
    """
    step = round(length * 1000)
    return f"last_over_time({{}})[{step * count - step // 2}ms:{step}ms]"


def _label(name: str) -> str:
    """A label name in a matcher: those that are no identifiers, such as `k8s.pod.name`, stand in quotes."""
    return name if _PLAIN_LABEL.fullmatch(name) else json.dumps(name, ensure_ascii=False)
