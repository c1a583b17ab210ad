"""The files that `breakeven measure` leaves."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from breakeven.api.calibration import CalibrationSpec
from breakeven.api.names import spoken_model
from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.variant import declared_variant
from breakeven.cli.manifests import Resource
from breakeven.cli.yamltext import yaml_text
from breakeven.measure.advice import Advice, changes, profile_csv, resource
from breakeven.measure.calibrated import calibration
from breakeven.measure.grid import Arm
from breakeven.measure.report.content import Report
from breakeven.measure.report.document import as_json
from breakeven.measure.report.html import as_html
from breakeven.measure.report.markdown import as_markdown
from breakeven.measure.state import FILE
from breakeven.render.check import refusals


def write(report: Report, declared: Resource | None, directory: Path) -> list[Path]:
    """Write everything that there is something to say about, and give the paths."""
    texts = {
        "report.html": as_html(report),
        "report.json": as_json(report),
        "report.md": as_markdown(report),
        "profile.csv": profile_csv(report.figures, _labels(report, declared)),
    }
    if declared is not None:
        fitting = fits(declared, report.advice)
        times = calibrated(report, declared, directory)
        known = times if isinstance(times, CalibrationSpec) else None
        made = resource(declared.spec, declared.name, declared.namespace, fitting, known)
        texts["speculativedeployment.yaml"] = yaml_text([made])
    elif patch := changes(report.advice):
        texts["spec-patch.yaml"] = yaml_text([{"spec": patch}])
    written = []
    for name, text in texts.items():
        if text:
            path = directory / name
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def calibrated(report: Report, declared: Resource, directory: Path) -> CalibrationSpec | str:
    """`spec.calibration` for this resource, or why there is none."""
    identity = report.identities.get(Arm.OFF)  # only the server without speculation was calibrated
    version = identity.version if identity is not None else ""
    return calibration(report.figures, declared.spec, version=version, measured_at=_last_visit(directory))


def fits(declared: Resource, wanted: Advice) -> Advice:
    """The advice without what this resource cannot say: its engine cannot do it, or its thresholds contradict it."""
    kept = Advice(k=wanted.k, better_k=wanted.better_k, gain=wanted.gain, mode=wanted.mode)
    for field in ("disable_above", "caution"):
        more = replace(kept, **{field: getattr(wanted, field)})
        if _can_be(declared, more):
            kept = more
    return kept


def _can_be(declared: Resource, wanted: Advice) -> bool:
    made = resource(declared.spec, declared.name, declared.namespace, wanted)
    try:
        spec = SpeculativeDeploymentSpec.model_validate(made["spec"])
    except ValidationError:
        return False
    before = {finding.message for finding in refusals(declared_variant(declared.spec))}
    return all(finding.message in before for finding in refusals(declared_variant(spec)))


def _last_visit(directory: Path) -> datetime:
    """When the last visit was written; now, where none was."""
    visits = directory / FILE
    moment = visits.stat().st_mtime if visits.exists() else None
    return datetime.fromtimestamp(moment, UTC) if moment is not None else datetime.now(UTC)


def _labels(report: Report, declared: Resource | None) -> dict[str, str]:
    identity = report.identities.get(Arm.ON) or report.identities.get(Arm.OFF)
    spec = declared.spec if declared is not None else None
    draft = spec.draft if spec is not None else None
    return {
        "target": spoken_model(identity.model) if identity is not None else "",
        "draft": spoken_model(draft.model) if draft is not None and draft.model else "",
        "method": draft.method.value if draft is not None else "",
        "engine": f"vLLM {identity.version}" if identity is not None and identity.version else "",
        "gpu": "/".join(spec.hardware.accelerators) if spec is not None else "",
    }
