"""What becomes of `--speculative-config`: accepted, ignored or refused, as the given version does it."""

from dataclasses import dataclass
from typing import Any

from breakeven.engines.engine import Engine
from breakeven.lab.engine.arguments import Arguments
from breakeven.lab.engine.refused import Refused, engine_core_failed, validation_error, value_error
from breakeven.lab.engine.vocabulary import vocabulary_size

MODEL_FREE = frozenset({"ngram", "ngram_gpu", "suffix", "mtp", "deepseek_mtp"})
"""Methods that need no `model`."""
LARGEST_K = 128
"""More drafted tokens than this start, and kill the engine on its first request."""


@dataclass(frozen=True, slots=True)
class Drafting:
    """The speculation that a valid configuration asks for."""

    method: str
    k: int
    model: str | None = None
    acceptance: str = "standard"
    draft_sampling: str = "greedy"
    schedule: tuple[tuple[int, int, int], ...] = ()
    disable_by_batch_size: int | None = None
    synthetic_rates: tuple[float, ...] = ()
    ignored: tuple[str, ...] = ()
    """Keys that this version drops without a word."""


def drafting(arguments: Arguments, engine: Engine) -> Drafting | None:
    """Check the speculative configuration. None without one. Raises Refused as that version would end."""
    if arguments.speculative is None:
        return None
    config, ignored = _known_keys(arguments.speculative, engine)
    method = _method(config, engine)
    _literals(config, engine)
    k = _tokens(config, method)
    _pair(config, method, arguments, engine)
    rates = _synthetic(config, k)
    if method == "suffix":
        raise Refused(
            1,
            "ImportError: Arctic Inference is required for suffix decoding. "
            "Install via `pip install arctic-inference==0.1.1`.",
        )
    low, high = config.get("prompt_lookup_min"), config.get("prompt_lookup_max")
    if low is not None and high is not None and low > high:
        raise value_error(f"prompt_lookup_min={low} must be <= prompt_lookup_max={high}")
    return Drafting(
        method=method,
        k=k,
        model=config.get("model"),
        acceptance=str(config.get("rejection_sample_method") or config.get("acceptance_method") or "standard"),
        draft_sampling=str(config.get("draft_sample_method") or "greedy"),
        schedule=_schedule(config.get("num_speculative_tokens_per_batch_size")),
        disable_by_batch_size=config.get("disable_by_batch_size"),
        synthetic_rates=rates,
        ignored=ignored,
    )


def _known_keys(config: dict[str, Any], engine: Engine) -> tuple[dict[str, Any], tuple[str, ...]]:
    if not engine.speaks_json:
        return dict(config), ()
    if "tensor_parallel_size" in config and engine.at_least("0.15.1"):
        raise value_error(
            "'tensor_parallel_size' is not a valid argument in the speculative_config. "
            "Please pass 'draft_tensor_parallel_size' instead."
        )
    unknown = tuple(key for key in config if key not in engine.speculative_config_keys)
    if unknown and engine.unknown_key_policy == "TypeError":
        raise Refused(1, f"TypeError: SpeculativeConfig.__init__() got an unexpected keyword argument '{unknown[0]}'")
    if unknown and engine.unknown_key_policy == "ValidationError":
        value = config[unknown[0]]
        raise validation_error(
            unknown[0],
            "Unexpected keyword argument [type=unexpected_keyword_argument, "
            f"input_value={value!r}, input_type={type(value).__name__}]",
        )
    return {key: value for key, value in config.items() if key not in unknown}, unknown


def _method(config: dict[str, Any], engine: Engine) -> str:
    """The method in force; a path that looks like a head overrides what was asked, as in the real server."""
    method, model = config.get("method"), str(config.get("model") or "")
    if method is not None and engine.speaks_json and method not in engine.methods:
        raise _literal("method", method, sorted(engine.methods))
    for word, name in (("eagle3", "eagle3"), ("eagle-", "eagle"), ("dflash", "dflash"), ("dspark", "dspark")):
        if word in model.lower() and name in engine.methods:
            return name
    if method is None and not model:
        if engine.before("0.9.0"):
            return "mtp"
        raise value_error("speculative_config needs a method or a model")
    if method is None:
        if engine.draft_model["method_key_required"]:
            raise Refused(1, "NotImplementedError: Unsupported speculative method: 'None'")
        method = "draft_model"
    if method == "draft_model" and not engine.draft_model["supported"]:
        raise Refused(
            1,
            "NotImplementedError: Speculative decoding with draft model is not supported yet. "
            "Please consider using other speculative decoding methods such as ngram, medusa, eagle, or deepseek_mtp.",
        )
    if method not in MODEL_FREE and not model and not method.endswith("_mtp"):
        raise Refused(1, f"NotImplementedError: Unsupported speculative method: '{method}'")
    return str(method)


def _literals(config: dict[str, Any], engine: Engine) -> None:
    key = engine.acceptance_key
    if (
        key
        and not key.startswith("--")
        and config.get(key) is not None
        and config[key] not in engine.acceptance_methods
    ):
        raise _literal(key, config[key], sorted(engine.acceptance_methods))
    sampling = config.get("draft_sample_method")
    if sampling is not None and sampling not in engine.draft_sample_methods:
        raise _literal("draft_sample_method", sampling, sorted(engine.draft_sample_methods))


def _literal(key: str, value: Any, allowed: list[str]) -> Refused:
    names = [f"'{name}'" for name in allowed]
    choice = " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return validation_error(
        key, f"Input should be {choice} [type=literal_error, input_value={value!r}, input_type={type(value).__name__}]"
    )


def _tokens(config: dict[str, Any], method: str) -> int:
    k = config.get("num_speculative_tokens")
    if k is None:
        if method in MODEL_FREE:
            raise value_error(
                "num_speculative_tokens must be provided with speculative model unless the draft model config contains "
                "an n_predict parameter."
            )
        raise value_error("A speculative model was provided, but `num_speculative_tokens` was not provided")
    if isinstance(k, str):
        try:
            k = int(k)
        except ValueError:
            raise validation_error(
                "num_speculative_tokens",
                "Input should be a valid integer, unable to parse string as an integer "
                f"[type=int_parsing, input_value={k!r}, input_type=str]",
            ) from None
    if k <= 0:
        raise validation_error(
            "num_speculative_tokens",
            f"Input should be greater than 0 [type=greater_than, input_value={k!r}, input_type=int]",
        )
    return int(k)


def _pair(config: dict[str, Any], method: str, arguments: Arguments, engine: Engine) -> None:
    """Target against draft: vocabulary, tensor parallelism, seats in a step."""
    if method == "draft_model":
        target, draft = vocabulary_size(arguments.model), vocabulary_size(str(config.get("model")))
        if target and draft and target != draft and not config.get("use_heterogeneous_vocab"):
            raise value_error(
                "Target and draft model should have the same vocabulary size. "
                f"Target model vocab_size={target}. Draft model vocab_size={draft}. Using models with different "
                "tokenizers can cause out-of-bounds errors during speculative decoding."
            )
    size, whole = config.get("draft_tensor_parallel_size"), arguments.tensor_parallel_size
    if size is not None and size not in (1, whole):
        raise value_error(
            f"speculative_draft_tensor_parallel_size={size} cannot be other value than 1 or target model "
            "tensor_parallel_size"
        )
    one_size = method == "draft_model" and engine.at_least("0.15.1") and engine.before("0.31.0")
    if one_size and size is not None and size != whole:
        raise engine_core_failed(
            "ValueError: Currently, 'draft_tensor_parallel_size' and 'tensor_parallel_size' must be the same. "
            f"Got {size} and {whole}. Please pass 'draft_tensor_parallel_size' in the speculative_config."
        )


def _synthetic(config: dict[str, Any], k: int) -> tuple[float, ...]:
    rates, length = config.get("synthetic_acceptance_rates"), config.get("synthetic_acceptance_length")
    if config.get("rejection_sample_method") != "synthetic":
        if rates is not None or length is not None:
            raise value_error(
                "synthetic_acceptance_rates / synthetic_acceptance_length are only valid with "
                "rejection_sample_method='synthetic'."
            )
        return ()
    if (rates is None) == (length is None):
        single = config.get("synthetic_acceptance_rate")
        if single is not None:
            return tuple(float(single) ** (i + 1) for i in range(k))
        raise value_error(
            "rejection_sample_method='synthetic' requires exactly one of synthetic_acceptance_rates or "
            "synthetic_acceptance_length."
        )
    if rates is None:
        return tuple(max(0.0, min(1.0, float(length or 0) - 1 - i)) for i in range(k))
    if len(rates) != k:
        raise value_error(f"synthetic_acceptance_rates must have length {k}, got {rates}.")
    return tuple(float(rate) for rate in rates)


def _schedule(entries: Any) -> tuple[tuple[int, int, int], ...]:
    """The batch-size schedule. The real server finds a bad one only when its engine process starts."""
    if entries is None:
        return ()
    try:
        rows = sorted((int(first), int(last), int(k)) for first, last, k in entries)
    except (TypeError, ValueError):
        raise engine_core_failed("ValueError: each schedule entry must be [start, end, num_tokens]") from None
    end = 0
    for first, last, k in rows:
        if first <= end or last < first or k < 0:
            raise engine_core_failed(f"ValueError: invalid or overlapping batch size range [{first}, {last}] (k={k})")
        end = last
    if not rows or rows[0][0] != 1:
        raise engine_core_failed("ValueError: the first batch size range must start at 1")
    return tuple(rows)
