"""From a checked command line to a simulated engine: which measured table, which acceptance, how much memory."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from breakeven.api.spec import DraftMethod
from breakeven.engines.engine import Engine
from breakeven.lab.engine.acceptance import DEFAULTS, Acceptance, conditional, loosened, probabilistic
from breakeven.lab.engine.arguments import Arguments
from breakeven.lab.engine.buckets import buckets
from breakeven.lab.engine.core import Setup, Speculation
from breakeven.lab.engine.knobs import Knobs
from breakeven.lab.engine.refused import Refused, engine_core_failed
from breakeven.lab.engine.speculative import LARGEST_K, Drafting
from breakeven.lab.engine.step_times import BASELINE, Scheduling, step_times
from breakeven.lab.engine.wording import RIGHT, Wording

_LARGE = 30.0
"""Billions of parameters from which the 70B table stands in for a target."""
_LONGEST = 131072
_LOSSY_SHARE = 0.3
"""Share of rejected tokens that a lossy acceptance method lets through (assumed)."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A simulated engine, ready to start. `notes` say in words where its figures come from."""

    setup: Setup
    dies_on_first_request: bool
    load_delay: float
    """Seconds until it is healthy."""
    fails_at_start: bool
    """Exit with code 1 after that time instead."""
    notes: tuple[str, ...]
    wording: Wording = RIGHT


def configure(
    arguments: Arguments, drafting: Drafting | None, engine: Engine, knobs: Knobs, environment: Mapping[str, str]
) -> Configuration:
    """Build the engine. Raises Refused where the real one would fail while it starts."""
    target, why = _target(arguments.model)
    method, k = (drafting.method, drafting.k) if drafting else (BASELINE, 0)
    times = step_times(target, method, k, _scheduling(arguments, drafting, engine))
    kv_tokens = knobs.kv_tokens or times.memory.tokens_on(arguments.tensor_parallel_size)
    max_model_len = _max_model_len(arguments, kv_tokens)
    seats, batched = _seats(arguments, drafting, engine)
    try:
        bounds = buckets(max_model_len, arguments.custom_buckets)
    except ValueError as error:
        raise Refused(1, f"ValueError: {error}") from error
    v2 = environment.get("VLLM_USE_V2_MODEL_RUNNER", "1") != "0"
    setup = Setup(
        times=times,
        kv_tokens=kv_tokens,
        prefill_tokens_per_s=times.memory.prefill_tokens_per_s,
        speculation=_speculation(drafting, engine, knobs, v2) if drafting else None,
        max_num_seqs=seats,
        max_num_batched_tokens=batched,
        max_model_len=max_model_len,
        step_factor=knobs.step_factor * (knobs.draft_step_factor if drafting else 1.0),
        bounds=bounds,
    )
    return Configuration(
        setup=setup,
        dies_on_first_request=knobs.dies_on_first_request
        or k > LARGEST_K
        or (drafting is not None and knobs.draft_dies_on_first_request),
        load_delay=knobs.load_delay + (knobs.draft_load_delay if drafting else 0.0),
        fails_at_start=drafting is not None and knobs.draft_fails_at_start,
        wording=Wording(knobs.draft_answers_wrongly if drafting else 0.0),
        notes=(why, times.source, *_notes(arguments, drafting, engine, setup)),
    )


def _max_model_len(arguments: Arguments, kv_tokens: int) -> int:
    """Longest context; unlike the real server, one that was not asked for shrinks to what fits."""
    asked = arguments.max_model_len
    if asked and asked > kv_tokens:
        raise engine_core_failed(
            f"ValueError: To serve at least one request with the model's max seq len ({asked}), "
            f"more KV cache memory is needed than is available; the estimated maximum model length is {kv_tokens}. "
            "Try increasing `gpu_memory_utilization` or decreasing `max_model_len`."
        )
    return asked or min(_LONGEST, kv_tokens)


def _notes(arguments: Arguments, drafting: Drafting | None, engine: Engine, setup: Setup) -> Iterator[str]:
    if arguments.tensor_parallel_size > 1:
        yield "the measurements are of one GPU: tensor parallelism changes the KV capacity here, not the step time"
    if drafting and drafting.ignored:
        yield f"vLLM {engine.release} ignores the keys {', '.join(drafting.ignored)}"
    if setup.speculation:
        yield f"assumed acceptance by temperature: {dict(setup.speculation.acceptance.points)}"


def _target(model: str) -> tuple[str, str]:
    """Which measured target stands for a model, and the reason in words."""
    sizes = [float(size) for size in re.findall(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])", model.lower())]
    if not sizes:
        return "8B", f"the size of {model} is not in its name: the 8B table stands in"
    table = "70B" if max(sizes) >= _LARGE else "8B"
    return table, f"the table of Llama-3.1-{table} stands for {model}"


def _scheduling(arguments: Arguments, drafting: Drafting | None, engine: Engine) -> Scheduling:
    """vLLM turned async scheduling off for draft models before 0.28 unless it was asked for."""
    if drafting is None or drafting.method not in ("draft_model", "ngram"):
        return "async" if arguments.async_scheduling is not False else "sync"
    since = "0.28.0" if drafting.method == "draft_model" else "0.33.0"
    wanted = arguments.async_scheduling
    return "async" if (engine.at_least(since) if wanted is None else wanted) else "sync"


def _seats(arguments: Arguments, drafting: Drafting | None, engine: Engine) -> tuple[int, int]:
    """Sequences and tokens of one step; a draft model once took a token slot from every seat."""
    seats = arguments.max_num_seqs or (1024 if engine.at_least("0.8.0") else 256)
    batched = arguments.max_num_batched_tokens or 8192
    reserves = engine.at_least("0.17.0") and not engine.at_least("0.33.0")
    if drafting and drafting.method == "draft_model" and reserves:
        if batched <= seats:
            raise Refused(
                1,
                f"ValueError: max_num_batched_tokens ({batched}) must be greater than max_num_seqs ({seats}) "
                "with a draft model",
            )
        batched -= seats
    return seats, batched


def _speculation(drafting: Drafting, engine: Engine, knobs: Knobs, v2: bool) -> Speculation:
    on_v2 = v2 and drafting.method == "draft_model" and engine.runs_on_v2(DraftMethod.DRAFT_MODEL)
    return Speculation(
        method=drafting.method,
        k=drafting.k,
        acceptance=_acceptance(drafting, knobs, on_v2),
        schedule=_schedule(drafting, engine),
        drafts_all=on_v2,
    )


def _schedule(drafting: Drafting, engine: Engine) -> tuple[tuple[int, int, int], ...]:
    limit = drafting.disable_by_batch_size
    on_v0 = drafting.method in ("draft_model", "mlp_speculator") or engine.before("0.9.0")
    if limit and on_v0 and "honoured" in engine.disable_by_batch_size:
        return ((1, limit - 1, drafting.k), (limit, 1_000_000, 0))
    return drafting.schedule


def _acceptance(drafting: Drafting, knobs: Knobs, on_v2: bool) -> Acceptance:
    if drafting.synthetic_rates:
        return Acceptance(points=((0.0, 0.0),), imposed=conditional(drafting.synthetic_rates))
    kind = "ngram" if drafting.method in ("ngram", "ngram_gpu", "suffix") else drafting.method
    chosen = DEFAULTS.get(kind, DEFAULTS["eagle3"])
    if knobs.acceptance:
        chosen = replace(chosen, points=knobs.acceptance)
    if knobs.spread is not None:
        chosen = replace(chosen, spread=knobs.spread)
    exact = drafting.acceptance == "standard" or on_v2
    if drafting.draft_sampling != "greedy" and exact and kind != "ngram":
        chosen = probabilistic(chosen)
    if drafting.acceptance in ("fly", "typical_acceptance_sampler"):
        chosen = loosened(chosen, _LOSSY_SHARE)
    return chosen
