"""What makes replicas unlike each other and a minute like the one before: nodes, long requests, sticky traffic.

Everything here is a factor on what `traffic` drew, so a scenario that asks for none of it is drawn as ever.
"""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from breakeven.simulation.scenario import Nodes, Scenario, Sticky
from breakeven.simulation.traffic import QUARTERS, Drawn, Floats, Traffic

DAY = 1440
"""Minutes."""
SLOWEST_PER_STEP = 1.02
"""Tokens per step, at least, of a replica whose traffic drafts badly."""


def autoregressive(drawn: Floats, correlation: float) -> Floats:
    """Minutes (the last axis) that keep their mean and size, each correlated so with the one before."""
    if correlation <= 0:
        return drawn
    by_minute = drawn.T.copy()
    by_minute[1:] *= np.sqrt(1 - correlation**2)
    for minute in range(1, len(by_minute)):
        by_minute[minute] += correlation * by_minute[minute - 1]
    return np.ascontiguousarray(by_minute.T)


def step_factors(scenario: Scenario, *, replicas: int, minutes: int, seed: int) -> Floats:
    """[replica, minute]: factor on step times from noise, the replica's node and that node's hours."""
    rng = np.random.default_rng([seed, 1])
    noise = autoregressive(rng.normal(0.0, scenario.noise, (replicas, minutes)), scenario.correlation)
    return np.asarray(np.exp(noise) * node_factors(scenario.nodes, replicas=replicas, minutes=minutes, seed=seed))


def node_factors(nodes: Nodes, *, replicas: int, minutes: int, seed: int) -> Floats:
    """[replica, minute]: step time of each node over that of a usual one."""
    rng = np.random.default_rng([seed, 4])
    known = np.ones(replicas)
    known[: len(nodes.steps)] = nodes.steps[:replicas]
    mean = known * np.exp(rng.normal(0.0, nodes.spread, replicas))
    begins = rng.random((replicas, 1))
    swing = nodes.drift * np.sin(2 * np.pi * (np.arange(minutes) / DAY + begins))
    return np.asarray(mean[:, None] * np.exp(swing))


def varied(traffic: Traffic, scenario: Scenario, *, k: int, seed: int) -> Traffic:
    """The same requests, with mixes that stick to replicas and minutes that run into each other."""
    if scenario.sticky.acceptance or scenario.sticky.lengths:
        traffic = _stuck(traffic, scenario.sticky, k=k, seed=seed)
    if scenario.correlation and not traffic.drawn:
        traffic = _carried(traffic, scenario.correlation)
    return traffic


def _stuck(traffic: Traffic, sticky: Sticky, *, k: int, seed: int) -> Traffic:
    rng = np.random.default_rng([seed, 3])
    keeps = float(np.exp(-timedelta(minutes=1) / sticky.lasts))
    shape = traffic.tokens.shape
    lengths = np.exp(autoregressive(rng.normal(-(sticky.lengths**2) / 2, sticky.lengths, shape), keeps))
    shift = autoregressive(rng.normal(0.0, sticky.acceptance, shape), keeps)
    usual = traffic.mean_per_step
    steps = lengths * usual / np.maximum(SLOWEST_PER_STEP, usual + k * shift)
    requests, tokens, drafts = traffic.quarters
    by_quarter = [np.repeat(factor, QUARTERS, axis=1) for factor in (lengths, steps)]
    return replace(
        traffic,
        tokens=traffic.tokens * lengths,
        steps=traffic.steps * steps,
        quarters=(requests, tokens * by_quarter[0], drafts * by_quarter[1]),
        drawn=tuple(_scaled(drawn, lengths[i], steps[i]) for i, drawn in enumerate(traffic.drawn)),
    )


def _scaled(drawn: Drawn, lengths: Floats, steps: Floats) -> Drawn:
    counts = np.diff(drawn.edges)
    longer = drawn.lengths * np.repeat(lengths, counts)
    needed = np.minimum(drawn.steps * np.repeat(steps, counts), longer)
    return replace(drawn, lengths=longer, steps=needed)


def _carried(traffic: Traffic, share: float) -> Traffic:
    """Requests that last into the next minutes: this share of what is under way carries over.

    Sums over many minutes stay, and so does what they scatter: single minutes hang together and scatter less.
    """
    requests, *quarters = traffic.quarters
    found = [_spilled(of, share) for of in (traffic.tokens, traffic.steps)]
    parts = []
    for of, minute in zip(quarters, found, strict=True):
        before = np.concatenate((minute[:, :1], minute[:, :-1]), axis=1)
        before[:, 0] = of.reshape(*minute.shape, QUARTERS)[:, 0].sum(axis=1)
        parts.append((1 - share) * of + share / QUARTERS * np.repeat(before, QUARTERS, axis=1))
    return replace(traffic, tokens=found[0], steps=found[1], quarters=(requests, parts[0], parts[1]))


def _spilled(of: Floats, share: float) -> Floats:
    by_minute = of.T.copy()
    by_minute[1:] *= 1 - share
    for minute in range(1, len(by_minute)):
        by_minute[minute] += share * by_minute[minute - 1]
    return np.ascontiguousarray(by_minute.T)
