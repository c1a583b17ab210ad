"""Requests, minute by minute and replica by replica: how many, how long, how well they draft.

Arrivals are Poisson, lengths log-normal, acceptance is drawn per request around its task's mean, with the spread
between requests that was measured on published traces. Nothing here depends on what is decided, so every policy sees
the same requests under the same seed.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from breakeven.simulation.scenario import Event, Scenario, Task

Floats = NDArray[np.float64]
MINUTE = 60.0
QUARTERS = 4
"""Parts of a minute that the fast mode can look at one by one: the 15 s between scrapes."""
LENGTH_SIGMA = 0.8
"""Log-normal spread of output lengths."""
RUNAWAY_TOKENS = 8192.0
LONGEST = 32_768.0
"""Output tokens at which a heavy tail is cut."""
RAMP = 5
"""Minutes between two steps of something that grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What holds in one minute."""

    tasks: tuple[Task, ...]
    shift: float
    inflation: float
    step: float
    load: float
    worth: float | None
    outage: bool
    unscraped: float
    missed_scrapes: float
    per_token: bool
    runaways: float
    decay: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The single requests of one replica, in order of arrival."""

    lengths: Floats
    """Output tokens after the first."""
    steps: Floats
    """Steps that the declared draft would need."""
    edges: NDArray[np.int64]
    """Requests before each minute."""

    def of(self, minute: int) -> tuple[Floats, Floats]:
        """Lengths and steps of the requests that arrive in a minute."""
        begin, end = self.edges[minute], self.edges[minute + 1]
        return self.lengths[begin:end], self.steps[begin:end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Arrays [replica, minute]; steps are those the declared draft would need."""

    requests: Floats
    tokens: Floats
    steps: Floats
    replicas: int
    rate: Floats
    """Requests per second and replica, by minute."""
    conditions: tuple[Conditions, ...]
    """By minute."""
    mean_tokens: Floats
    """Expected output tokens of a request, by minute."""
    mean_per_step: Floats
    """Expected tokens per step (token-weighted), by minute."""
    quarters: tuple[Floats, Floats, Floats]
    """Requests, tokens and steps again, by [replica, quarter of a minute]."""
    drawn: tuple[Drawn, ...] = ()
    """The single requests by replica; only when they were asked to be kept."""


def conditions_at(scenario: Scenario, minute: int) -> Conditions:
    """What holds in a minute: the events that have begun and are not over."""
    active = [(e, grown) for e in scenario.events if (grown := _grown(e, minute)) is not None]
    tasks = next((e.tasks for e, _ in reversed(active) if e.tasks), scenario.tasks)
    return Conditions(
        tasks=tuple(tasks),
        shift=sum(e.acceptance_shift * grown for e, grown in active),
        inflation=float(np.prod([e.inflation_factor**grown for e, grown in active])),
        step=float(np.prod([e.step_factor**grown for e, grown in active])),
        load=float(np.prod([e.load_factor for e, _ in active])),
        worth=next((e.worth for e, _ in reversed(active) if e.worth is not None), None),
        outage=any(e.outage for e, _ in active),
        unscraped=max((e.unscraped for e, _ in active), default=0.0),
        missed_scrapes=max((e.missed_scrapes for e, _ in active), default=0.0),
        per_token=any(e.per_token for e, _ in active),
        runaways=max((e.runaways for e, _ in active), default=0.0),
        decay=max((e.decay_per_day for e, _ in active), default=0.0),
    )


def _grown(event: Event, minute: int) -> float | None:
    """How far an event has grown, 0 to 1; None when it is not going on."""
    since = minute - event.at.total_seconds() / MINUTE
    if since < 0:
        return None
    if event.every is not None:
        since %= event.every.total_seconds() / MINUTE
    if event.lasts is not None and since >= event.lasts.total_seconds() / MINUTE:
        return None
    if event.ramp is None:
        return 1.0
    return min(1.0, since / (event.ramp.total_seconds() / MINUTE))


def occurrences(event: Event, minutes: int) -> list[int]:
    """Minutes in which an event begins."""
    first = int(event.at.total_seconds() // MINUTE)
    if event.every is None:
        return [first]
    return list(range(first, minutes, max(1, int(event.every.total_seconds() // MINUTE))))


def generate(
    scenario: Scenario, *, minutes: int, replicas: int, k: int, seed: int, keep_requests: bool = False
) -> Traffic:
    """All requests of a scenario; the single ones are kept only when asked for, they take much memory."""
    single: list[list[tuple[Floats, Floats]]] = [[] for _ in range(replicas)]
    rng = np.random.default_rng(seed)
    conditions = _timeline(scenario, minutes)
    hours = np.arange(minutes) / 60.0
    swing = _diurnal(scenario.diurnal, hours) * np.array([c.load for c in conditions])
    rate = scenario.requests_per_second * swing / replicas
    shape = (replicas, minutes * QUARTERS)
    requests, tokens, steps = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    means, efficiencies = np.zeros(minutes), np.zeros(minutes)
    for begin, end in _stretches(conditions):
        held = conditions[begin]
        weights, expected = _expected(held, k)
        means[begin:end], efficiencies[begin:end] = expected
        for replica in range(replicas):
            counts = rng.poisson(np.repeat(rate[begin:end], QUARTERS) * (MINUTE / QUARTERS))
            requests[replica, begin * QUARTERS : end * QUARTERS] = counts
            drawn = _draw(rng, held, weights, int(counts.sum()), k)
            if keep_requests:
                single[replica].append(drawn)
            edges = np.concatenate(([0], np.cumsum(counts)))
            for target, values in ((tokens, drawn[0]), (steps, drawn[1])):
                total = np.concatenate(([0.0], np.cumsum(values)))
                target[replica, begin * QUARTERS : end * QUARTERS] = total[edges[1:]] - total[edges[:-1]]
    steps = np.maximum(steps, 0.0)
    by_minute = [of.reshape(replicas, minutes, QUARTERS).sum(axis=2) for of in (requests, tokens, steps)]
    return Traffic(
        requests=by_minute[0],
        tokens=by_minute[1],
        steps=by_minute[2],
        quarters=(requests, tokens, steps),
        replicas=replicas,
        rate=rate,
        conditions=conditions,
        mean_tokens=means,
        mean_per_step=efficiencies,
        drawn=tuple(_joined(parts, by_minute[0][i]) for i, parts in enumerate(single)) if keep_requests else (),
    )


def _joined(parts: list[tuple[Floats, Floats]], counts: Floats) -> Drawn:
    edges = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    lengths, steps = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return Drawn(lengths=lengths, steps=steps, edges=edges)


def tokens_per_step(acceptance: float, k: int) -> float:
    """E for accepted / drafted at a fixed k: 1 + k r."""
    return 1.0 + k * acceptance


def _timeline(scenario: Scenario, minutes: int) -> tuple[Conditions, ...]:
    edges = {0, minutes}
    for event in scenario.events:
        lasts = int(event.lasts.total_seconds() // MINUTE) if event.lasts is not None else None
        ramp = int(event.ramp.total_seconds() // MINUTE) if event.ramp is not None else 0
        for begin in occurrences(event, minutes):
            edges.update(max(0, min(minutes, each)) for each in range(begin, begin + ramp + 1, RAMP))
            edges.add(max(0, min(minutes, begin + ramp)))
            if lasts is not None:
                edges.add(max(0, min(minutes, begin + lasts)))
    found: list[Conditions] = []
    for begin, end in pairwise(sorted(edges)):
        found += [conditions_at(scenario, begin)] * (end - begin)
    return tuple(found)


def _stretches(conditions: tuple[Conditions, ...]) -> list[tuple[int, int]]:
    """Stretches of equal conditions, at most a day long, so that arrays stay small."""
    edges = [0]
    for minute in range(1, len(conditions)):
        if conditions[minute] is not conditions[minute - 1] or minute - edges[-1] >= 1440:
            edges.append(minute)
    return list(zip(edges, [*edges[1:], len(conditions)], strict=True))


def _diurnal(ratio: float, hours: Floats) -> Floats:
    """A day that peaks at 15:00 with mean 1."""
    depth = (ratio - 1) / (ratio + 1)
    return np.asarray(1 + depth * np.cos((hours - 15) / 24 * 2 * np.pi))


def _expected(held: Conditions, k: int) -> tuple[Floats, tuple[float, float]]:
    shares = np.array([t.share for t in held.tasks])
    weights = shares / shares.sum()
    mean = float(sum(w * t.tokens for w, t in zip(weights, held.tasks, strict=True)))
    steps = float(
        sum(
            w * t.tokens / tokens_per_step(min(1.0, max(0.0, t.acceptance + held.shift)), k)
            for w, t in zip(weights, held.tasks, strict=True)
        )
    )
    extra = held.runaways * RUNAWAY_TOKENS
    slow = tokens_per_step(max(0.0, (held.tasks[0].acceptance + held.shift) / 2), k)
    mean, steps = mean + extra, steps + extra / slow
    return weights, (mean, mean / steps)


def _draw(rng: np.random.Generator, held: Conditions, weights: Floats, count: int, k: int) -> tuple[Floats, Floats]:
    """Output tokens and drafting steps of so many requests."""
    if count == 0:
        return np.zeros(0), np.zeros(0)
    kind = rng.choice(len(weights), size=count, p=weights) if len(weights) > 1 else np.zeros(count, dtype=int)
    means = np.array([t.tokens for t in held.tasks])[kind]
    lengths = means * np.exp(rng.normal(-(LENGTH_SIGMA**2) / 2, LENGTH_SIGMA, count))
    if any(t.tail is not None for t in held.tasks):
        lengths = _heavy(rng, held, kind, lengths)
    centre = np.array([min(0.99, max(0.005, t.acceptance + held.shift)) for t in held.tasks])[kind]
    spread = np.array([t.spread for t in held.tasks])[kind]
    variance = np.minimum(spread**2, centre * (1 - centre) * 0.9)
    strength = centre * (1 - centre) / np.maximum(variance, 1e-9) - 1
    accepted = rng.beta(centre * strength, (1 - centre) * strength)
    if held.runaways:
        wild = rng.random(count) < held.runaways
        lengths = np.where(wild, RUNAWAY_TOKENS, lengths)
        accepted = np.where(wild, accepted / 2, accepted)
    lengths = np.maximum(2.0, lengths)
    return lengths, lengths / (1 + k * accepted)


def _heavy(rng: np.random.Generator, held: Conditions, kind: NDArray[np.int64], lengths: Floats) -> Floats:
    """The lengths, drawn anew from a Pareto distribution of the same mean where a task has a heavy tail."""
    exponent = np.array([t.tail or np.nan for t in held.tasks])[kind]
    shortest = np.array([t.tokens for t in held.tasks])[kind] * (exponent - 1) / exponent
    drawn = np.minimum(LONGEST, shortest * (1 - rng.random(len(lengths))) ** (-1 / exponent))
    return np.where(np.isnan(exponent), lengths, drawn)
