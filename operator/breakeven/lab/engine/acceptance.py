"""How many drafted tokens are accepted: a curve over temperature, a spread between requests, a decay over positions."""

from dataclasses import dataclass, replace
from random import Random

Points = tuple[tuple[float, float], ...]
"""(temperature, probability that a drafted token is accepted if those before it were), rising in temperature."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The acceptance of one drafting method on one kind of traffic."""

    points: Points
    """Mean conditional acceptance by temperature; straight lines between, constant outside."""
    spread: float = 0.08
    """Standard deviation between requests. 0.05 is one task, 0.11 chat, 0.22 a mix (replayed public traces)."""
    decay: float = 1.0
    """Factor per further position on the conditional acceptance."""
    match: float = 1.0
    """Probability that a step finds anything to draft: 1 for a model, less for n-gram look-up."""
    imposed: tuple[float, ...] = ()
    """Conditional acceptance by position that replaces everything above (vLLM's `synthetic`)."""

    def mean(self, temperature: float) -> float:
        """Mean conditional acceptance at this temperature."""
        below = self.points[0]
        for point in self.points:
            if point[0] >= temperature:
                if point[0] == below[0]:
                    return point[1]
                return below[1] + (point[1] - below[1]) * (temperature - below[0]) / (point[0] - below[0])
            below = point
        return below[1]

    def draw(self, temperature: float, k: int, rng: Random) -> tuple[float, ...]:
        """Conditional acceptance by position for one request."""
        if self.imposed:
            return self.imposed[:k] + (self.imposed[-1],) * (k - len(self.imposed))
        mean = min(max(self.mean(temperature), 0.0), 1.0)
        rate = _beta(mean, self.spread, rng)
        return tuple(rate * self.decay**position for position in range(k))


def _beta(mean: float, spread: float, rng: Random) -> float:
    """A draw from the Beta distribution with that mean and standard deviation (narrower where it must be)."""
    limit = mean * (1 - mean)
    if spread <= 0 or limit <= 0:
        return mean
    concentration = limit / min(spread * spread, limit * 0.5) - 1
    return rng.betavariate(mean * concentration, (1 - mean) * concentration)


DEFAULTS: dict[str, Acceptance] = {
    # T=0: E = 2.9 to 3.3 at k=3 is published for a 1B draft on an 8B target (SpecDecode-Bench, CNN/DailyMail, GSM8K),
    # a conditional acceptance of 0.79 to 0.88. T=0.4 and 0.8: that times the fall measured on a real server with a
    # perfect draft that drafts greedily (0.80, 0.62; the latter rounded down). T=1: assumed lower than the measured
    # 0.54 of it, so that hot traffic is clearly under break-even.
    "draft_model": Acceptance(points=((0.0, 0.80), (0.4, 0.64), (0.8, 0.46), (1.0, 0.28), (1.5, 0.12))),
    # T=0: accepted/drafted 0.42 to 0.47 at k=3 replayed from public traces. The fall with temperature as above.
    "eagle3": Acceptance(points=((0.0, 0.70), (0.4, 0.58), (0.8, 0.42), (1.0, 0.25), (1.5, 0.10)), decay=0.95),
    # E = 1.17 to 1.75 per step, steps without a match included, in the same traces; rates when matched are assumed.
    "ngram": Acceptance(points=((0.0, 0.75), (0.4, 0.45), (0.8, 0.25), (1.0, 0.18), (1.5, 0.10)), match=0.35),
}
"""Assumed acceptance by method; a method not named here drafts like an EAGLE-3 head."""

_PROBABILISTIC: Points = ((0.0, 1.0), (0.4, 0.97), (0.8, 0.94), (1.0, 0.91), (1.5, 0.81))
"""Share of the greedy acceptance that is kept. Measured with a perfect draft: 0.96 to 1.0 at every temperature, so the
fall is slight; its size for an imperfect draft is assumed."""


def probabilistic(acceptance: Acceptance) -> Acceptance:
    """The same draft under `draft_sample_method: probabilistic`: acceptance hardly depends on temperature."""
    greedy = acceptance.mean(0.0)
    return replace(acceptance, points=tuple((t, greedy * kept) for t, kept in _PROBABILISTIC))


def loosened(acceptance: Acceptance, share: float) -> Acceptance:
    """A lossy method that accepts `share` of what exact verification rejects (assumed)."""
    return replace(acceptance, points=tuple((t, rate + share * (1 - rate)) for t, rate in acceptance.points))


def conditional(unconditional: tuple[float, ...]) -> tuple[float, ...]:
    """Conditional rates by position from the unconditional ones that `synthetic_acceptance_rates` lists."""
    before = (1.0, *unconditional)
    return tuple(rate / base if base > 0 else 0.0 for rate, base in zip(unconditional, before, strict=False))
