"""One safe step at a time."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.control.moves import Arrived, Blocked, Limits, Paused, Step, Target, Wait, next_move
from breakeven.domain.counters.observation import Fleet

OLD, NEW = "old", "new"


def serving(name: str, count: int, **changes: object) -> Fleet:
    return replace(Fleet(variant=name, wanted=count, existing=count, ready=count), **changes)  # type: ignore[arg-type] # fields of Fleet


def targets(**counts: int) -> list[Target]:
    return [Target(variant=n, replicas=c) for n, c in counts.items()]


def test_first_rollout_starts_everything_at_once() -> None:
    assert next_move(targets(old=3, new=1), {}, Limits()) == Step(replicas={"old": 3, "new": 1}, reason="first rollout")


def test_nothing_to_do_when_everything_serves() -> None:
    assert next_move(targets(old=3), {OLD: serving(OLD, 3)}, Limits()) == Arrived()


def test_switch_without_surge_stops_one_first() -> None:
    move = next_move(targets(new=4, old=0), {OLD: serving(OLD, 4)}, Limits())
    assert isinstance(move, Step)
    assert move.replicas == {OLD: 3}


def test_start_waits_until_the_stopped_pod_is_gone() -> None:
    fleet = {OLD: serving(OLD, 3, terminating=1)}
    assert isinstance(next_move(targets(new=4), fleet, Limits()), Wait)
    move = next_move(targets(new=4), {OLD: serving(OLD, 3)}, Limits())
    assert isinstance(move, Step)
    assert move.replicas == {NEW: 1}


def test_next_replica_waits_until_the_new_one_serves() -> None:
    fleet = {OLD: serving(OLD, 3), NEW: Fleet(variant=NEW, wanted=1, existing=1, ready=0)}
    move = next_move(targets(new=4), fleet, Limits())
    assert isinstance(move, Wait)


def test_one_in_five_of_many_replicas_moves_at_once() -> None:
    stop = next_move(targets(new=40), {OLD: serving(OLD, 40)}, Limits())
    assert isinstance(stop, Step)
    assert stop.replicas == {OLD: 32}
    start = next_move(targets(new=40), {OLD: serving(OLD, 32)}, Limits())
    assert isinstance(start, Step)
    assert start.replicas == {NEW: 8}
    loading = {OLD: serving(OLD, 32), NEW: Fleet(variant=NEW, wanted=8, existing=8, ready=3)}
    more = next_move(targets(new=40), loading, Limits())
    assert isinstance(more, Step)
    assert more.replicas == {OLD: 29}
    assert isinstance(next_move(targets(new=40), {**loading, NEW: replace(loading[NEW], ready=0)}, Limits()), Wait)
    assert isinstance(next_move(targets(new=40), {**loading, NEW: replace(loading[NEW], failing="x")}, Limits()), Wait)


def test_switch_with_surge_starts_one_first_and_stops_one_when_it_serves() -> None:
    limits = Limits(surge=1)
    assert next_move(targets(new=1), {OLD: serving(OLD, 1)}, limits) == Step(
        replicas={NEW: 1}, reason="start a spare replica of new"
    )
    loading = {OLD: serving(OLD, 1), NEW: Fleet(variant=NEW, wanted=1, existing=1, ready=0)}
    assert isinstance(next_move(targets(new=1), loading, limits), Wait)
    move = next_move(targets(new=1), {OLD: serving(OLD, 1), NEW: serving(NEW, 1)}, limits)
    assert isinstance(move, Step)
    assert move.replicas == {OLD: 0}


def test_last_serving_replica_stays_and_the_finding_says_what_is_needed() -> None:
    limits = Limits(capacity="4 GPUs (H100)")
    move = next_move(targets(new=1), {OLD: serving(OLD, 1)}, limits)
    assert isinstance(move, Blocked)
    assert move.finding.status is False
    assert move.finding.reason == "LastReplica"
    assert "4 GPUs (H100)" in move.finding.message
    assert "spec.policy.switching.surge" in move.finding.message


def test_last_serving_replica_may_stop_when_the_resource_allows_it() -> None:
    move = next_move(targets(new=1), {OLD: serving(OLD, 1)}, Limits(allow_downtime=True))
    assert isinstance(move, Step)
    assert move.replicas == {OLD: 0}


def test_replica_that_does_not_serve_is_stopped_first() -> None:
    canary = Fleet(variant=NEW, wanted=1, existing=1, ready=0, failing="CrashLoopBackOff")
    move = next_move(targets(old=4), {OLD: serving(OLD, 3), NEW: canary}, Limits())
    assert isinstance(move, Step)
    assert move.replicas == {NEW: 0}


def test_failing_replica_is_not_followed_by_more() -> None:
    fleet = {NEW: Fleet(variant=NEW, wanted=1, existing=1, ready=0, failing="CrashLoopBackOff"), OLD: serving(OLD, 2)}
    move = next_move(targets(new=4), fleet, Limits())
    assert isinstance(move, Wait)
    assert "CrashLoopBackOff" in move.reason


def test_replica_without_a_node_blocks_in_the_schedulers_words() -> None:
    fleet = {OLD: Fleet(variant=OLD, wanted=2, existing=2, ready=1, unschedulable="Insufficient nvidia.com/gpu")}
    move = next_move(targets(old=2), fleet, Limits())
    assert isinstance(move, Blocked)
    assert "Insufficient nvidia.com/gpu" in move.finding.message


def test_user_scales_both_ways_directly() -> None:
    up = next_move(targets(old=7), {OLD: serving(OLD, 4)}, Limits())
    assert isinstance(up, Step)
    assert up.replicas == {OLD: 7}
    down = next_move(targets(old=2), {OLD: serving(OLD, 4)}, Limits())
    assert isinstance(down, Step)
    assert down.replicas == {OLD: 2}


def test_scaling_down_prefers_the_variant_that_does_not_serve() -> None:
    fleet = {OLD: serving(OLD, 3), NEW: Fleet(variant=NEW, wanted=2, existing=2, ready=0)}
    move = next_move(targets(old=2, new=1), fleet, Limits())
    assert isinstance(move, Step)
    assert move.replicas[NEW] == 1


def test_scaling_down_stops_no_more_serving_replicas_than_serve_beyond_the_declared_ones() -> None:
    fleet = {OLD: serving(OLD, 3), NEW: Fleet(variant=NEW, wanted=1, existing=1, ready=0)}
    move = next_move(targets(old=1, new=1), fleet, Limits())
    assert move == Step(replicas={OLD: 2}, reason="stop what is no longer declared")


def test_switch_waits_for_its_window_but_missing_capacity_is_restored() -> None:
    closed = Limits(window_open=False)
    move = next_move(targets(new=4), {OLD: serving(OLD, 4)}, closed)
    assert isinstance(move, Blocked)
    assert move.finding.reason == "OutsideWindow"
    move = next_move(targets(new=4), {OLD: serving(OLD, 3)}, closed)
    assert isinstance(move, Step)


def test_paused_leaves_everything() -> None:
    assert next_move(targets(new=4), {OLD: serving(OLD, 4)}, Limits(paused=True)) == Paused()
    assert next_move(targets(new=4), {}, Limits(paused=True)) == Paused()


class Site:
    """A cluster with a fixed number of GPUs that carries out steps; pods load and stop in one tick each."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.wanted = dict(counts)
        self.ready = dict(counts)
        self.loading = dict.fromkeys(counts, 0)
        self.stopping = dict.fromkeys(counts, 0)

    def fleet(self) -> dict[str, Fleet]:
        return {
            n: Fleet(
                variant=n,
                wanted=w,
                existing=self.ready[n] + self.loading[n],
                ready=self.ready[n],
                terminating=self.stopping[n],
            )
            for n, w in self.wanted.items()
        }

    def carry_out(self, step: Step) -> None:
        self.wanted.update(step.replicas)
        for n in self.wanted:
            for book in (self.ready, self.loading, self.stopping):
                book.setdefault(n, 0)
            delta = self.wanted[n] - self.ready[n] - self.loading[n]
            self.loading[n] += max(0, delta)
            drop = max(0, -delta)
            unready = min(drop, self.loading[n])
            self.loading[n] -= unready
            self.ready[n] -= drop - unready
            self.stopping[n] += drop

    def tick(self) -> None:
        for n in self.wanted:
            self.stopping[n] = 0
            self.ready[n] += self.loading[n]
            self.loading[n] = 0

    @property
    def gpus(self) -> int:
        return sum(sum(b.values()) for b in (self.ready, self.loading, self.stopping))

    @property
    def serving(self) -> int:
        return sum(self.ready.values())


@st.composite
def switches(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, int], Limits]:
    total = draw(st.integers(1, 6))
    names = ["a", "b", "c"]

    def split() -> dict[str, int]:
        cuts = sorted([draw(st.integers(0, total)), draw(st.integers(0, total))])
        return dict(zip(names, (cuts[0], cuts[1] - cuts[0], total - cuts[1]), strict=True))

    limits = Limits(surge=draw(st.integers(0, 2)), allow_downtime=draw(st.booleans()))
    return split(), split(), limits


@settings(max_examples=150, deadline=None)
@given(switches())
def test_every_switch_arrives_or_is_blocked_within_its_gpus_and_never_stops_serving(
    case: tuple[dict[str, int], dict[str, int], Limits],
) -> None:
    have, want, limits = case
    site, total = Site(have), sum(want.values())
    goal = targets(**want)
    for _ in range(100):
        move = next_move(goal, site.fleet(), limits)
        if isinstance(move, Arrived | Blocked):
            break
        if isinstance(move, Step):
            before = dict(site.wanted)
            site.carry_out(move)
            assert sum(abs(site.wanted[n] - before.get(n, 0)) for n in site.wanted) <= max(1, limits.surge)
        assert site.gpus <= total + limits.surge
        assert site.serving >= 1 or limits.allow_downtime
        site.tick()
    assert isinstance(move, Arrived | Blocked)
    if isinstance(move, Blocked):
        assert total == 1 and not limits.surge and not limits.allow_downtime
    else:
        assert {n: c for n, c in site.ready.items() if c} == {n: c for n, c in want.items() if c}


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 4)),
    st.dictionaries(
        st.sampled_from("abcd"),
        st.tuples(
            st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 2), st.sampled_from(["", "x"])
        ),
    ),
    st.integers(0, 2),
)
def test_no_state_of_the_world_makes_it_raise_or_ask_for_a_gpu_too_many(
    want: dict[str, int], have: dict[str, tuple[int, int, int, int, str]], surge: int
) -> None:
    fleet = {
        n: Fleet(variant=n, wanted=w, existing=e, ready=min(e, r), terminating=t, failing=f)
        for n, (w, e, r, t, f) in have.items()
    }
    move = next_move(targets(**want), fleet, Limits(surge=surge))
    if isinstance(move, Step):
        grows = {n: c for n, c in move.replicas.items() if n not in fleet or c > fleet[n].wanted}
        held = sum(max(f.wanted, f.existing) + f.terminating for f in fleet.values())
        more = sum(c - (fleet[n].wanted if n in fleet else 0) for n, c in grows.items())
        assert not grows or held + more <= sum(want.values()) + surge
        assert all(c >= 0 for c in move.replicas.values())
