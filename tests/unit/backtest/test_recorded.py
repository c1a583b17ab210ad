"""What a record says about when replicas came, restarted and went."""

from breakeven.adapters.prometheus.answers import RawSeries
from breakeven.backtest.recorded import RecordedArm

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
