"""What engine knowledge and planning say about a spec before a pod is made."""

from collections.abc import Sequence

from breakeven.api.conditions import ConditionType, Reason
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import Variant, declared_variant
from breakeven.control.core import Fitness
from breakeven.control.ports import Manifest
from breakeven.domain.decision import Finding
from breakeven.domain.evidence.calibration import differs
from breakeven.engines import Caution, Refusal, load
from breakeven.planning.findings import plan_findings, plan_refuses, plan_status
from breakeven.planning.pairing import Severity
from breakeven.planning.plan import Plan, plan
from breakeven.planning.question import Question
from breakeven.render import check
from breakeven.render.denied import check_denied
from breakeven.render.network import check_service
from breakeven.render.pools import refused_warm

_LONGEST = 2000


def fitness(
    resource: Manifest, spec: SpeculativeDeploymentSpec, known: Sequence[str] = (), *, denied: Sequence[str] = ()
) -> Fitness:
    """Check the declared variant and its alternatives, then plan it. Pure, and the same for the same spec.

    `known` is advice that is known already; `denied` is what the operator's settings keep out of `podTemplate`.
    """
    del resource
    variant = declared_variant(spec)
    others = [variant.with_draft(draft) for draft in spec.alternatives]
    found = [*check_service(spec.service), *(f for v in (variant, variant.baseline, *others) for f in check(v))]
    remarks = dict.fromkeys(found)
    refusals = [f for f in remarks if isinstance(f, Refusal)] or [*check_denied(spec.pod_template, denied)]
    refusals = refusals or [*refused_warm(spec)]
    engine = load().engine_of(variant.engine)
    if isinstance(engine, Refusal) or refusals:
        version = "" if isinstance(engine, Refusal) else str(engine.version)
        reason = refusals[0].reason if refusals else Reason.INVALID_CONFIGURATION
        return Fitness(engine_version=version, refusals=tuple(f"spec.{f}" for f in refusals), reason=reason)
    made = plan(variant, Question(replicas=max(1, spec.replicas)))
    findings = [_version(engine.assumed, engine.assumption, str(engine.version)), *plan_findings(made)]
    # That the version is assumed has a condition of its own.
    cautions = [f for f in remarks if isinstance(f, Caution) and f.reason is not Reason.NEAREST_OLDER]
    advice = "; ".join([*known, *(f"spec.{f}" for f in cautions), *_calibration(spec, (variant, *others))])
    return Fitness(
        engine_version=str(engine.version),
        refusals=_cannot(made) if plan_refuses(made) else (),
        reason=Reason.INVALID_CONFIGURATION,
        findings=_merged(findings, advice),
        plan=plan_status(made),
    )


def _calibration(spec: SpeculativeDeploymentSpec, variants: Sequence[Variant]) -> list[str]:
    """Why a calibration is ignored for the declared draft and every alternative."""
    if spec.calibration is None:
        return []
    why = [differs(spec.calibration, variant) for variant in variants]
    return [] if "" in why else [f"spec.calibration is ignored: {why[0]}"]


def _version(assumed: bool, assumption: str, version: str) -> Finding:
    return Finding(
        type=ConditionType.ENGINE_VERSION_KNOWN,
        status=not assumed,
        reason=Reason.NEAREST_OLDER if assumed else Reason.KNOWN,
        message=assumption or f"arguments are rendered for vLLM {version}",
    )


def _cannot(made: Plan) -> tuple[str, ...]:
    return tuple(f"spec.{r.field}: {r.message}" for r in made.remarks if r.severity is Severity.REFUSAL)


def _merged(findings: list[Finding], advice: str) -> tuple[Finding, ...]:
    """One ConfigurationValid with the advice of both."""
    if not advice:
        return tuple(findings)
    said = [f.message for f in findings if f.type == ConditionType.CONFIGURATION_VALID]
    rest = [f for f in findings if f.type != ConditionType.CONFIGURATION_VALID]
    message = "; ".join([*said, advice])[:_LONGEST]
    valid = Finding(type=ConditionType.CONFIGURATION_VALID, status=True, reason=Reason.ADVICE, message=message)
    return (*rest, valid)
