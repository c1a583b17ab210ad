"""Step times: how long a step takes without speculation and with it, at the load of the minute."""

import numpy as np

from breakeven.simulation.scenario import Scenario
from breakeven.simulation.traffic import Floats, Traffic, tokens_per_step

ROUNDS = 12
"""Fixed-point rounds for running requests (Little's law); the map contracts fast below saturation."""
MOST_RUNNING = 512.0


class Physics:
    """Mean step times by minute; `scenario.speedup` fixes R at low load for the tasks it begins with."""

    def __init__(self, scenario: Scenario, traffic: Traffic, k: int) -> None:
        begin = tokens_per_step_of(scenario, k)
        self._base = begin / scenario.speedup
        self._scenario = scenario
        self._traffic = traffic
        self.k = k
        self.off_step, self.off_running = self._settled(speculating=False)
        self.on_step, self.on_running = self._settled(speculating=True)
        self.speedup: Floats = self.off_step / (self.on_step / traffic.mean_per_step)
        """True S by minute: both fleets whole, at the load that each would carry."""
        known = np.array([np.nan if c.worth is None else c.worth for c in traffic.conditions])
        self.worth: Floats = np.where(np.isnan(known), self.speedup, known)
        """What decides which state is the better one: S, or what the scenario says that S does not show."""

    def steps(self, minute: int) -> tuple[float, float]:
        """Step times without speculation and with it at the load of a minute, seconds."""
        return float(self.off_step[minute]), float(self.on_step[minute])

    def steps_alone(self, minute: int) -> tuple[float, float]:
        """The same of a request that runs alone, for an engine that counts by itself how many run."""
        off, on = self.steps(minute)
        slope = self._scenario.step_slope
        return off / (1 + slope * float(self.off_running[minute])), on / (1 + slope * float(self.on_running[minute]))

    def _settled(self, *, speculating: bool) -> tuple[Floats, Floats]:
        traffic, scenario = self._traffic, self._scenario
        running = np.ones_like(traffic.rate)
        step = np.zeros_like(running)
        relative = traffic.rate * traffic.replicas / scenario.requests_per_second
        over = np.maximum(0.0, np.log2(np.maximum(relative, 1e-9) / scenario.knee))
        factor = np.array([c.inflation for c in traffic.conditions])
        context = np.array([c.step for c in traffic.conditions])
        for _ in range(ROUNDS):
            step = scenario.step_ms / 1000 * (1 + scenario.step_slope * running) * context
            steps_each = traffic.mean_tokens
            if speculating:
                step = step * (self._base + scenario.steepness * over) * factor
                steps_each = traffic.mean_tokens / traffic.mean_per_step
            running = 0.5 * running + 0.5 * np.minimum(MOST_RUNNING, traffic.rate * steps_each * step)
        return step, running


def tokens_per_step_of(scenario: Scenario, k: int) -> float:
    """E of the tasks that a scenario begins with, weighted by tokens."""
    tokens = sum(t.share * t.tokens for t in scenario.tasks)
    steps = sum(t.share * t.tokens / tokens_per_step(t.acceptance, k) for t in scenario.tasks)
    return tokens / steps
