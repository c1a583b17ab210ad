"""The counters of one hollow pod: steady decoding, integrated over time, in vLLM's own names."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from breakeven.lab.controlplane.client import Manifest
from breakeven.lab.settings import HollowSettings

TTFT_SECONDS = 0.05
SPECULATIVE = re.compile(r"--?speculative[-_]config(=.*)?|-sc")
SERVED_NAME = "--served-model-name"

FAMILIES = (
    ("generation_tokens_total", "counter"),
    ("prompt_tokens_total", "counter"),
    ("request_success_total", "counter"),
    ("num_preemptions_total", "counter"),
    ("inter_token_latency_seconds", "summary"),
    ("time_to_first_token_seconds", "summary"),
    ("request_time_per_output_token_seconds", "summary"),
    ("spec_decode_num_drafts_total", "counter"),
    ("spec_decode_num_draft_tokens_total", "counter"),
    ("spec_decode_num_accepted_tokens_total", "counter"),
    ("spec_decode_num_accepted_tokens_per_pos_total", "counter"),
    ("num_requests_running", "gauge"),
    ("num_requests_waiting", "gauge"),
    ("kv_cache_usage_perc", "gauge"),
)
"""Names after `vllm:`. Summaries stand for vLLM's histograms, of which the exporter has sum and count only."""


def tokens_per_step(settings: HollowSettings) -> float:
    """E = 1 + a + a² + … + a^k for an acceptance a that is the same at each position."""
    return sum(settings.acceptance**position for position in range(settings.draft_tokens + 1))


def arguments_of(pod: Manifest) -> list[str]:
    """Command and arguments of its first container."""
    container = pod["spec"]["containers"][0]
    return [*(container.get("command") or ()), *(container.get("args") or ())]


def is_speculating(arguments: Sequence[str]) -> bool:
    """Whether the engine was told to speculate."""
    return any(SPECULATIVE.fullmatch(argument) for argument in arguments)


def model_name(arguments: Sequence[str]) -> str:
    """What the engine calls its model: --served-model-name, --model, or what follows `serve`."""
    for flag in (SERVED_NAME, "--model", "serve"):
        for position, argument in enumerate(arguments):
            if argument == flag and position + 1 < len(arguments):
                return arguments[position + 1]
            if argument.startswith(f"{flag}="):
                return argument.partition("=")[2]
    return "model"


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


@dataclass(slots=True)
class HollowPod:
    """Counters since it became Ready."""

    namespace: str
    name: str
    model: str
    speculating: bool
    at: float
    """Unix seconds up to which the counters are integrated."""
    pace: float
    """Its step time, relative to the settings'."""
    steps: float = 0.0
    step_seconds: float = 0.0
    decoded: float = 0.0
    finished: float = 0.0
    finished_seconds: float = 0.0
    prompt: float = 0.0
    drafted: float = 0.0
    accepted: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, pod: Manifest, settings: HollowSettings, now: float) -> "HollowPod":
        """A pod that becomes Ready now."""
        arguments, metadata = arguments_of(pod), pod["metadata"]
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            model=model_name(arguments),
            speculating=is_speculating(arguments),
            at=now,
            pace=max(random.Random(metadata["uid"]).gauss(1.0, settings.noise), 0.1),
        )

    def advance(self, now: float, settings: HollowSettings) -> None:
        """Integrate up to now with these settings."""
        passed, self.at = max(now - self.at, 0.0), now
        emitted = tokens_per_step(settings) if self.speculating else 1.0
        pace = self.pace * max(random.gauss(1.0, settings.scrape_noise), 0.1)
        tpot = settings.step_seconds * pace / (settings.speedup if self.speculating else 1.0)
        steps = settings.running * passed / (tpot * emitted)
        finished = steps * emitted / settings.output_tokens
        self.steps += steps
        self.step_seconds += settings.running * passed
        self.decoded += steps * emitted
        self.finished += finished
        self.finished_seconds += finished * tpot
        self.prompt += finished * settings.prompt_tokens
        if self.speculating:
            self.drafted += steps * settings.draft_tokens
            self.accepted += [0.0] * (settings.draft_tokens - len(self.accepted))
            for position in range(settings.draft_tokens):
                self.accepted[position] += steps * settings.acceptance ** (position + 1)

    def values(self, settings: HollowSettings) -> dict[str, list[str]]:
        """Lines of its series, by family."""
        labels = f'engine="0",model_name="{_quoted(self.model)}",namespace="{self.namespace}",pod="{self.name}"'
        first = int(self.finished) + int(settings.running)

        def line(name: str, value: float, more: str = "") -> str:
            return f"vllm:{name}{{{labels}{more}}} {value}"

        def summary(name: str, total: float, count: int) -> list[str]:
            return [line(f"{name}_sum", round(total, 6)), line(f"{name}_count", count)]

        found = {
            "generation_tokens_total": [line("generation_tokens_total", int(self.decoded) + first)],
            "prompt_tokens_total": [line("prompt_tokens_total", int(self.prompt))],
            "request_success_total": [
                line("request_success_total", int(self.finished), ',finished_reason="length"'),
                line("request_success_total", 0, ',finished_reason="abort"'),
            ],
            "num_preemptions_total": [line("num_preemptions_total", 0)],
            "inter_token_latency_seconds": summary("inter_token_latency_seconds", self.step_seconds, int(self.steps)),
            "time_to_first_token_seconds": summary("time_to_first_token_seconds", first * TTFT_SECONDS, first),
            "request_time_per_output_token_seconds": summary(
                "request_time_per_output_token_seconds", self.finished_seconds, int(self.finished)
            ),
            "num_requests_running": [line("num_requests_running", settings.running)],
            "num_requests_waiting": [line("num_requests_waiting", 0)],
            "kv_cache_usage_perc": [line("kv_cache_usage_perc", 0.2)],
        }
        if self.speculating:
            found |= {
                "spec_decode_num_drafts_total": [line("spec_decode_num_drafts_total", int(self.steps))],
                "spec_decode_num_draft_tokens_total": [line("spec_decode_num_draft_tokens_total", int(self.drafted))],
                "spec_decode_num_accepted_tokens_total": [
                    line("spec_decode_num_accepted_tokens_total", sum(map(int, self.accepted)))
                ],
                "spec_decode_num_accepted_tokens_per_pos_total": [
                    line("spec_decode_num_accepted_tokens_per_pos_total", int(value), f',position="{position}"')
                    for position, value in enumerate(self.accepted)
                ],
            }
        return found


def page(pods: Sequence[HollowPod], settings: HollowSettings, *, labels: str = "", at: float | None = None) -> str:
    """The exposition of all hollow pods, family by family as the format wants it.

    labels: more of them, each with a comma behind it. at: Unix seconds that the samples are dated; None: undated.
    """
    stamp = "" if at is None else f" {round(at * 1000)}"
    rows: dict[str, list[str]] = {name: [] for name, _kind in FAMILIES}
    for pod in pods:
        for name, lines in pod.values(settings).items():
            rows[name] += [f"{line.replace('{', '{' + labels, 1)}{stamp}" for line in lines] if stamp else lines
    parts: list[str] = []
    for name, kind in FAMILIES:
        if rows[name]:
            parts += [f"# TYPE vllm:{name} {kind}", *rows[name]]
    return "\n".join(parts) + "\n"
