"""Read the story's numbers back from Prometheus and from logs: what any user could ask, without the operator."""

import re
from dataclasses import dataclass

from breakeven.lab.handle import RunningLab
from breakeven.warm.pages import LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the story, unix seconds."""

    title: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFigures:
    """Counters of one variant over one span, and what follows from them."""

    generated: float
    first_tokens: float
    step_seconds: float
    steps: float
    drafted: float
    accepted: float

    @property
    def tpot_ms(self) -> float | None:
        """Mean time per output token."""
        decoded = self.generated - self.first_tokens
        return 1000 * self.step_seconds / decoded if decoded > 0 else None

    @property
    def tokens_per_step(self) -> float | None:
        """E."""
        return (self.generated - self.first_tokens) / self.steps if self.steps > 0 else None

    @property
    def acceptance(self) -> float | None:
        """Accepted / drafted."""
        return self.accepted / self.drafted if self.drafted > 0 else None


_FINISHED = re.compile(r"simulated engine: finished requests: (\d+)")
_COUNTERS = {
    "generated": "vllm:generation_tokens_total",
    "first_tokens": "vllm:time_to_first_token_seconds_count",
    "step_seconds": "vllm:inter_token_latency_seconds_sum",
    "steps": "vllm:inter_token_latency_seconds_count",
    "drafted": "vllm:spec_decode_num_draft_tokens_total",
    "accepted": "vllm:spec_decode_num_accepted_tokens_total",
}


def arm_figures(lab: RunningLab, namespace: str, name: str, variant: str, span: Span, *, warm: bool) -> ArmFigures:
    """Ask Prometheus for the increase of each counter over the pods of one variant: by its Deployment, or in warm
    replicas, which hold both, by its label.

    Names are such that the API server accepted, so they need no escaping in PromQL.
    """
    window = max(2, round(span.end - span.start))
    of = f'pod=~"{name}-.*",{LABEL}="{variant}"' if warm else f'pod=~"{name}-{variant}-.*"'
    selector = f'{{namespace="{namespace}",{of}}}'
    values = {
        name: _sum(lab, f"sum(increase({metric}{selector}[{window}s] @ {span.end:.3f}))")
        for name, metric in _COUNTERS.items()
    }
    return ArmFigures(**values)


def answered(lab: RunningLab, *, namespace: str, deployment: str) -> int | None:
    """Requests that the simulated engines of a Deployment finished, by the last lines of their logs; None before one
    has ended. Prometheus may not have met a pod that lives for seconds.
    """
    logs = lab.directory.glob(f"pods/{namespace}_{deployment}-*/*/*.log")
    said = [int(number) for log in logs for number in _FINISHED.findall(log.read_text())]
    return sum(said) if said else None


def _sum(lab: RunningLab, expression: str) -> float:
    result = lab.query(expression)
    return float(result[0]["value"][1]) if result else 0.0
