"""What a record says about when replicas came, restarted and went."""

import re

import pytest

from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.adapters.prometheus.errors import MetricsError, QueryFailed
from breakeven.backtest.recorded import Record, RecordedArm

BEGIN = 1_800_000_000.0


def tokens(pod: str, samples: list[tuple[float, float]]) -> RawSeries:
    labels = {"__name__": "vllm:generation_tokens_total", "namespace": "n", "pod": pod}
    return RawSeries(labels, [(BEGIN + at, value) for at, value in samples])


def every(begin: int, end: int) -> list[tuple[float, float]]:
    return [(float(at), float(at - begin)) for at in range(begin, end, 15)]


def arm_of(*series: RawSeries) -> RecordedArm:
    arm = RecordedArm(matchers="", length=60.0, warmup=120.0, keep=3600.0, prefix="vllm:")
    arm.take(series, BEGIN - 3600)
    return arm


def test_a_replica_is_ready_from_its_first_sample_and_gone_after_its_last() -> None:
    arm = arm_of(tokens("a", every(0, 1200)), tokens("b", every(0, 600)))
    assert arm.look(BEGIN + 590, "v").ready == 2
    assert arm.changed_at == BEGIN
    assert arm.look(BEGIN + 660, "v").ready == 1
    assert arm.changed_at == BEGIN + 585


def test_a_replica_that_restarts_is_ready_again_from_its_first_sample_after_it() -> None:
    arm = arm_of(tokens("a", [*every(0, 600), *every(900, 1500)]))
    assert arm.look(BEGIN + 590, "v").ready == 1
    assert arm.look(BEGIN + 720, "v").ready == 0
    assert arm.look(BEGIN + 960, "v").ready == 1
    assert arm.changed_at == BEGIN + 900


def test_a_gap_without_a_restart_does_not_make_the_fleet_older_or_younger() -> None:
    counted = [*every(0, 600), *((float(at), float(at)) for at in range(900, 1500, 15))]
    arm = arm_of(tokens("a", counted))
    assert arm.look(BEGIN + 590, "v").ready == 1
    assert arm.look(BEGIN + 720, "v").ready == 0
    gone = arm.changed_at
    assert arm.look(BEGIN + 960, "v").ready == 1
    assert arm.changed_at == gone == BEGIN + 585


def test_a_replica_is_on_the_node_that_its_series_name() -> None:
    a, b, c = (tokens(pod, every(0, 600)) for pod in "abc")
    arm = arm_of(
        RawSeries({**a.metric, "node": "n1"}, a.values), RawSeries({**b.metric, "node": "n2"}, b.values[:10]), c
    )
    arm.look(BEGIN + 120, "v")
    assert arm.present_nodes() == {"n/a": "n1", "n/b": "n2"}
    arm.look(BEGIN + 590, "v")
    assert arm.present_nodes() == {"n/a": "n1"}


def test_a_replica_with_several_models_is_refused_and_the_selector_can_choose_one() -> None:
    both = [
        RawSeries({**raw.metric, "model_name": model}, raw.values)
        for model in ("m1", "m2")
        for raw in [tokens("a", every(0, 600))]
    ]
    with pytest.raises(MetricsError, match=r'2 models, m1, m2, .* model_name="m2"'):
        arm_of(*both)
    assert arm_of(both[0]).look(BEGIN + 590, "v").ready == 1


def test_a_counter_under_two_names_and_a_family_that_one_rank_lacks_are_read_as_on_a_page() -> None:
    def series(name: str, rank: str, samples: list[tuple[float, float]]) -> RawSeries:
        labels = {"__name__": f"vllm:{name}", "namespace": "n", "pod": "a", "engine": rank}
        return RawSeries(labels, [(BEGIN + at, value) for at, value in samples])

    counted = every(0, 1200)
    arm = arm_of(
        *(series(name, rank, counted) for name in ("generation_tokens_total", "generation_tokens") for rank in "01"),
        series("inter_token_latency_seconds_sum", "0", counted),
    )
    batch = arm.look(BEGIN + 1190, "v").batches[-1]
    assert (batch.totals.generation_tokens, batch.totals.step_seconds) == (2 * 60, None)


class Answers:
    """A Prometheus of two series; it may refuse patterns for names."""

    def __init__(self, series: list[RawSeries], *, patterns: bool) -> None:
        self.series = series
        self.patterns = patterns

    def query(self, text: str, *, at: float) -> list[RawSeries]:
        if "__name__=~" not in text:
            return [s for s in self.series if text.partition("{")[0].rpartition("(")[2] == s.metric["__name__"]]
        if not self.patterns:
            raise QueryFailed("HTTP 400: =~ is an unsupported matchtype for the __name__ label", 400)
        pattern = text.partition('__name__=~"')[2].partition('"')[0].replace("\\\\", "\\")
        return [s for s in self.series if re.fullmatch(pattern, s.metric["__name__"])]

    def close(self) -> None:
        return


@pytest.mark.parametrize("patterns", [True, False])
def test_the_record_has_the_most_complete_prefix_and_is_read_where_patterns_are_refused(patterns: bool) -> None:
    rule = RawSeries({"__name__": "agg:vllm:generation_tokens_total", "namespace": "n", "pod": "a"}, [(BEGIN, 1.0)])
    steps = RawSeries({**rule.metric, "__name__": "vllm:inter_token_latency_seconds_count"}, [(BEGIN, 1.0)])
    arm = RecordedArm(matchers='pod="a"', length=60.0, warmup=0.0, keep=3600.0)
    client = Answers([rule, tokens("a", every(0, 600)), steps], patterns=patterns)
    record = Record(client, [arm], begins=BEGIN, ends=BEGIN + 600, buckets=False)
    record.find_names(None)
    assert arm.prefix == "vllm:"
    record.read_to(BEGIN + 600)
    assert arm.seen == {"n/a"}
    assert record.queries > 1
