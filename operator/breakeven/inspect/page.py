"""From the samples of a page to the counters of one server: which prefix, which model, which pod, all of its ranks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.samples import Sample

from breakeven.domain.counters import vllm_metrics
from breakeven.domain.counters.observation import Scrape
from breakeven.domain.counters.scrapes import scrape_of
from breakeven.domain.counters.vllm_metrics import ANCHOR, DRAFTED, Series
from breakeven.inspect.text import PageError, samples

_RANK = "engine"
"""Label of the data-parallel rank."""
_STARTED = "process_start_time_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to take of a page that holds more than one server."""

    prefix: str | None = None
    """In front of every name, for example `kserve_vllm:`. None: detected."""
    model: str | None = None
    """Value of `model_name`. None: the only one there is."""
    labels: Mapping[str, str]
    """Labels, such as `pod`, that tell servers of one model apart."""


ANYTHING = Choice(labels={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One server at one moment, and what tells it from another."""

    scrape: Scrape
    model: str
    """Name it serves under; empty when the page does not say."""
    ranks: frozenset[str]
    """Its data-parallel engines."""
    started: float | None
    """When its process started, in Unix seconds; None when the page does not say."""
    remarks: tuple[str, ...]
    """What a reader of its figures should know."""

    @property
    def speculates(self) -> bool:
        """Whether it has counters of drafts."""
        totals = self.scrape.totals
        return totals.drafts_on_v0 or any(n is not None for n in (totals.drafts, totals.drafted, totals.accepted))


def parse(text: str, *, at: float, choice: Choice = ANYTHING) -> Page:
    """Assemble the counters of one server from the text of a page; its data-parallel ranks are added up.

    Raises
    ------
    PageError
        If the text is no metric page, has no counters of a vLLM, or those of several servers and `choice` leaves open
        which.
    """
    every = samples(text)
    prefix = _prefix([s.name for s in every], choice.prefix)
    ours = [(s, series) for s in every if (series := _series(s, prefix)) is not None]
    ours, remarks = _complete(_of_one_server(ours, choice))
    _once(s for s, _ in ours)
    values: dict[Series, float] = {}
    for sample, series in ours:
        vllm_metrics.merge(values, series, float(sample.value))
    if Series(ANCHOR) not in values:
        remarks.append(
            "the page has no generation_tokens_total, so it was cut, for example by grep: save it whole for tokens per "
            "step and times"
        )
    return Page(
        scrape=scrape_of(at, values),
        model=next((s.labels["model_name"] for s, _ in ours if "model_name" in s.labels), ""),
        ranks=_ranks(ours),
        started=next((float(s.value) for s in every if s.name == _STARTED), None),
        remarks=tuple(remarks),
    )


_Known = list[tuple[Sample, Series]]


def _series(sample: Sample, prefix: str) -> Series | None:
    if not sample.name.startswith(prefix):
        return None
    return vllm_metrics.series_of(sample.name.removeprefix(prefix), sample.labels)


def _prefix(names: Sequence[str], wanted: str | None) -> str:
    """The prefix of a vLLM's names. Raises PageError with the reason when there is none."""
    found = wanted if wanted is not None else _detected(names)
    if found is not None and vllm_metrics.engine_named(found) is None and _has(names, found):
        if wanted is None and found and "vllm" not in found.lower():
            raise PageError(
                f"names that begin with {found} are not known to be a vLLM's; "
                f"if they are those of a vLLM, relabelled, say so with --prefix {found}"
            )
        return found
    other = next((e for n in ([found] if found else names) if (e := vllm_metrics.engine_named(n)) is not None), None)
    if other is not None:
        raise PageError(
            f"this is the metric page of {other}, which counts steps and drafts in its own way: "
            "only a vLLM's page can be read"
        )
    raise PageError(
        f"not a vLLM's metric page: it has no generation_tokens_total{_with(wanted)}; {_why_not(names, wanted)}"
    )


def _detected(names: Sequence[str]) -> str | None:
    found = vllm_metrics.best_prefix(names)
    if found is not None:
        return found
    ends = (f"{DRAFTED}_total", DRAFTED)
    cut = sorted({n.removesuffix(end) for n in names for end in ends if n.endswith(end)})
    if cut:
        return cut[0]
    return "" if _has(names, "") else None


def _has(names: Sequence[str], prefix: str) -> bool:
    return any(f"{prefix}{name}{end}" in names for name in (ANCHOR, DRAFTED) for end in ("_total", ""))


def _with(prefix: str | None) -> str:
    return "" if prefix is None else f" with prefix {prefix}" if prefix else " without a prefix"


def _why_not(names: Sequence[str], wanted: str | None) -> str:
    if wanted is not None and (found := _detected(names)) is not None:
        return f"its names begin with {found}" if found else "its names have no prefix: write --prefix ''"
    if any("vllm" in n.lower() for n in names):
        return "it was cut, for example by grep, or --disable-log-stats took its counters away"
    return "is log-stats disabled, or is this another exporter?"


def _of_one_server(ours: _Known, choice: Choice) -> _Known:
    """The samples of one model and one pod. Raises PageError where there are several and none was chosen."""
    counts = {family: [s for s, series in ours if series.name == family] for family in (ANCHOR, DRAFTED)}
    anchors = counts[ANCHOR] or counts[DRAFTED]
    models = sorted({s.labels.get("model_name", "") for s in anchors})
    model = choice.model if choice.model is not None else models[0]
    if model not in models:
        raise PageError(f"the page has no model {model}; it has {', '.join(models)}")
    if choice.model is None and len(models) > 1:
        raise PageError(
            f"the page holds {len(models)} models, {', '.join(models)}, which must not be added up; "
            f"choose one with --model {models[0]}"
        )
    anchors = [s for s in anchors if s.labels.get("model_name", "") == model and _agrees(s, choice.labels)]
    if not anchors:
        wanted = ", ".join(f"{k}={v}" for k, v in choice.labels.items())
        raise PageError(f"the page has no server with {wanted}")
    where = [{k: v for k, v in s.labels.items() if k not in vllm_metrics.OWN_LABELS} for s in anchors]
    for label in sorted({k for labels in where for k in labels}):
        values = sorted({labels.get(label, "") for labels in where})
        if len(values) > 1:
            raise PageError(
                f"the page holds several servers, {label} {', '.join(values)}, which must not be added up; "
                f"choose one with --label {label}={values[-1]}"
            )
    return [(s, series) for s, series in ours if s.labels.get("model_name", model) == model and _agrees(s, where[0])]


def _agrees(sample: Sample, labels: Mapping[str, str]) -> bool:
    return all(sample.labels.get(k, v) == v for k, v in labels.items())


def _ranks(ours: _Known) -> frozenset[str]:
    return frozenset(s.labels[_RANK] for s, _ in ours if _RANK in s.labels)


def _complete(ours: _Known) -> tuple[_Known, list[str]]:
    """Leave out each family that one rank has and another has not: half a sum is a wrong number."""
    ranks = _ranks(ours)
    by_family: dict[str, set[str]] = {}
    for sample, series in ours:
        by_family.setdefault(series.name, set()).add(sample.labels.get(_RANK, ""))
    remarks, partial = [], set()
    for family, having in sorted(by_family.items()):
        if missing := ranks - having if len(ranks) > 1 else None:
            partial.add(family)
            remarks.append(f"rank {', '.join(sorted(missing))} has no {family}: it is left out for all ranks")
    return [(s, series) for s, series in ours if series.name not in partial], remarks


def _once(ours: Iterable[Sample]) -> None:
    seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    for sample in ours:
        key = sample.name, frozenset(sample.labels.items())
        if key in seen:
            raise PageError(f"{sample.name} stands in it twice with the same labels: the file holds two pages")
        seen.add(key)
