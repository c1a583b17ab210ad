"""Abstract acceptance methods, resolved for an engine version: lossless first, lossy only with consent."""

from collections.abc import Iterator
from typing import Any

from breakeven.api.spec import AcceptanceMethod, AcceptanceSpec, DraftMethod, DraftSpec
from breakeven.api.vocabulary import Reason
from breakeven.engines import Caution, Engine, EngineRemark, Refusal
from breakeven.render.request import Request

LOSSY = frozenset({AcceptanceMethod.TYPICAL, AcceptanceMethod.FLY})
"""Methods that change what the model writes."""
_WITHOUT_PROBABILITIES = frozenset(
    {
        DraftMethod.NGRAM,
        DraftMethod.NGRAM_GPU,
        DraftMethod.SUFFIX,
        DraftMethod.MEDUSA,
        DraftMethod.MLP_SPECULATOR,
    }
)
"""Methods whose drafter has no distribution to sample from."""
_FIELD = "draft.acceptance.method"


def has_acceptance(engine: Engine, method: AcceptanceMethod) -> bool:
    """Whether a release has an acceptance method for at least one way of drafting."""
    match method:
        case AcceptanceMethod.REJECTION:
            return True
        case AcceptanceMethod.PROBABILISTIC:
            return "probabilistic" in engine.draft_sample_methods
        case AcceptanceMethod.TYPICAL:
            return "typical_acceptance_sampler" in engine.acceptance_methods
        case AcceptanceMethod.BLOCK | AcceptanceMethod.FLY:
            return method.value.lower() in engine.acceptance_methods


def acceptance_keys(draft: DraftSpec) -> dict[str, Any]:
    """Keys that select an acceptance method. Rejection is every release's default and needs none."""
    wanted = draft.acceptance
    match wanted.method:
        case AcceptanceMethod.REJECTION:
            return {}
        case AcceptanceMethod.PROBABILISTIC:
            return {"draft_sample_method": "probabilistic"}
        case AcceptanceMethod.BLOCK:
            return {"rejection_sample_method": "block"}
        case AcceptanceMethod.TYPICAL:
            return _set(
                acceptance_method="typical_acceptance_sampler",
                posterior_threshold=_number(wanted.threshold),
                posterior_alpha=_number(wanted.alpha),
            )
        case AcceptanceMethod.FLY:
            return _set(rejection_sample_method="fly", fly_entropy_threshold=_number(wanted.threshold))


def check_acceptance(request: Request) -> Iterator[EngineRemark]:
    """Find an acceptance method that this engine lacks, that would do nothing, or that needs consent."""
    draft, engine = request.variant.draft, request.engine
    if draft is None:
        return
    wanted = draft.acceptance.method
    if wanted in LOSSY and not draft.acceptance.allow_lossy:
        yield Refusal(
            field="draft.acceptance.allowLossy",
            reason=Reason.INVALID_CONFIGURATION,
            message=f"{wanted.value} changes what the model writes; set draft.acceptance.allowLossy to true "
            f"to consent, or set {_FIELD} to Rejection",
        )
    if not has_acceptance(engine, wanted):
        yield _missing(engine, wanted, draft.method)
    else:
        yield from _check_method(request, draft)
    yield from _check_parameters(draft.acceptance)


def _check_method(request: Request, draft: DraftSpec) -> Iterator[EngineRemark]:
    match draft.acceptance.method:
        case AcceptanceMethod.TYPICAL if request.on_v1:
            yield _typical_needs_v0(request, draft.method)
        case AcceptanceMethod.PROBABILISTIC if draft.method in _WITHOUT_PROBABILITIES:
            yield Refusal(
                field=_FIELD,
                reason=Reason.INVALID_CONFIGURATION,
                message=f"{draft.method.value} has no draft probabilities to sample from; set it to Rejection",
            )
        case AcceptanceMethod.BLOCK if not request.on_runner_v2:
            yield _block_needs_runner_v2(request, draft)
        case AcceptanceMethod.BLOCK if request.engine.before("0.29.0"):
            yield Caution(
                field=_FIELD,
                message=f"vLLM {request.engine.version} runs only dense models on model runner V2; on another "
                "model Block verifies as Rejection does. 0.29.0 and newer take mixture-of-experts models too",
            )
        case AcceptanceMethod.FLY if draft.num_speculative_tokens < 2:
            yield Refusal(
                field="draft.numSpeculativeTokens",
                reason=Reason.INVALID_CONFIGURATION,
                message="Fly looks at the tokens after a mismatch; set draft.numSpeculativeTokens to 2 or more",
            )
        case _:
            return


def _block_needs_runner_v2(request: Request, draft: DraftSpec) -> Refusal:
    can = _can(request.engine, AcceptanceMethod.BLOCK, draft.method)
    if request.engine.runs_on_v2(draft.method):
        return Refusal(
            field="engine.env",
            reason=Reason.INVALID_CONFIGURATION,
            rule="BlockOnRunnerV1",
            message="VLLM_USE_V2_MODEL_RUNNER=0 makes model runner V1 verify Block as Rejection and turns "
            f"probabilistic drafting off; remove the variable, or set {_FIELD} to Rejection or Probabilistic",
        )
    return Refusal(
        field=_FIELD,
        reason=Reason.UNSUPPORTED_BY_ENGINE,
        rule="BlockOnRunnerV1",
        message=f"vLLM {request.engine.version} uses model runner V1 for {draft.method.value}, which verifies Block as "
        f"Rejection and turns probabilistic drafting off; {can}; "
        f"set {_FIELD} to {_instead(request.engine, draft.method)}",
    )


def _typical_needs_v0(request: Request, method: DraftMethod) -> Refusal:
    engine = request.engine
    if engine.generation(method) == "v0":
        return Refusal(
            field="engine.env",
            reason=Reason.INVALID_CONFIGURATION,
            rule="TypicalOnV1",
            message=f"VLLM_USE_V1=1 makes vLLM {engine.version} run {method.value} on its V1 engine, where Typical is "
            f"accepted and does nothing; remove VLLM_USE_V1, or set {_FIELD} to Rejection",
        )
    return Refusal(
        field=_FIELD,
        reason=Reason.UNSUPPORTED_BY_ENGINE,
        rule="TypicalOnV1",
        message=f"vLLM {engine.version} runs {method.value} on its V1 engine, where Typical is accepted and does "
        f"nothing; {_can(engine, AcceptanceMethod.TYPICAL, method)}; set {_FIELD} to Rejection",
    )


def _can(engine: Engine, wanted: AcceptanceMethod, method: DraftMethod) -> str:
    """Releases that have an acceptance method, and those of them in which it does something for a way of drafting."""

    def does(other: Engine) -> bool:
        if not (has_acceptance(other, wanted) and other.supports(method)):
            return False
        match wanted:
            case AcceptanceMethod.TYPICAL:
                return other.generation(method) == "v0"
            case AcceptanceMethod.PROBABILISTIC:
                return method not in _WITHOUT_PROBABILITIES
            case AcceptanceMethod.BLOCK:
                return other.runs_on_v2(method)
            case _:
                return True

    have, can = engine.versions(lambda e: has_acceptance(e, wanted)), engine.versions(does)
    if can == have:
        return f"{have} can"
    if can == engine.versions(lambda _: False):
        return f"{have} can, none of them with {method.value}"
    return f"{have} can, with {method.value} {can}"


def _missing(engine: Engine, wanted: AcceptanceMethod, method: DraftMethod) -> Refusal:
    rule = "TypicalMissing" if wanted is AcceptanceMethod.TYPICAL else ""
    return Refusal(
        field=_FIELD,
        reason=Reason.UNSUPPORTED_BY_ENGINE,
        rule=rule,
        message=f"vLLM {engine.version} has no {wanted.value} acceptance, "
        f"{_can(engine, wanted, method)}; set {_FIELD} to {_instead(engine, method)}",
    )


def _instead(engine: Engine, method: DraftMethod) -> str:
    samples = has_acceptance(engine, AcceptanceMethod.PROBABILISTIC) and method not in _WITHOUT_PROBABILITIES
    return "Rejection or Probabilistic" if samples else "Rejection"


def _check_parameters(wanted: AcceptanceSpec) -> Iterator[EngineRemark]:
    takes = {AcceptanceMethod.TYPICAL: ("threshold", "alpha"), AcceptanceMethod.FLY: ("threshold",)}
    for name in ("threshold", "alpha"):
        if getattr(wanted, name) is not None and name not in takes.get(wanted.method, ()):
            yield Refusal(
                field=f"draft.acceptance.{name}",
                reason=Reason.INVALID_CONFIGURATION,
                message=f"{wanted.method.value} takes no {name}; remove draft.acceptance.{name}",
            )


def _set(**keys: Any) -> dict[str, Any]:
    return {key: value for key, value in keys.items() if value is not None}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
