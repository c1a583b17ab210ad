"""`breakeven plan`: what a resource needs and whether it is likely to pay, before any pod."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from breakeven.api.spec import SpeculativeDeploymentSpec
    from breakeven.cli.manifests import Resource
    from breakeven.planning.measured import Profile
    from breakeven.planning.plan import Plan
    from breakeven.planning.question import Question


class PlanOutput(StrEnum):
    """How a plan is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class UsageError(Exception):
    """The command was asked for something it cannot read; the text names the option or field."""


def plan(
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Resource, YAML or JSON; - is standard input."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Which resource of the file. Absent: the first.")] = None,
    engine_version: Annotated[
        str | None, typer.Option(metavar="V", help="Plan for this vLLM version, for example 0.24.0.")
    ] = None,
    output: Annotated[PlanOutput, typer.Option("--output", "-o", help="table, json or yaml.")] = PlanOutput.TABLE,
    batch: Annotated[
        str, typer.Option(help="Running requests per replica to predict for, separated by commas.")
    ] = "1,2,4,8,16,32,64,128,256",
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0, help="Sampling temperature of the traffic.")] = 0.0,
    acceptance: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Acceptance per position, given the ones before. Absent: assumed, and said so."
        ),
    ] = None,
    drafting_share: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Share of steps in which n-gram or suffix drafting finds a match. Absent: assumed."
        ),
    ] = None,
    context: Annotated[int, typer.Option(min=1, help="Mean context of a running request, in tokens.")] = 1000,
    config_json: Annotated[
        Path | None, typer.Option(help="config.json of the target, for a model the catalog does not know.")
    ] = None,
    draft_config_json: Annotated[Path | None, typer.Option(help="config.json of the draft.")] = None,
    profile: Annotated[
        Path | None, typer.Option(help="Measured step times: CSV or YAML rows of batch, k, plain_ms, speculating_ms.")
    ] = None,
    article_table: Annotated[
        bool,
        typer.Option("--article-table", help="Print the well-known 2×H100 / 2×H200 memory table, corrected, and stop."),
    ] = False,
) -> None:
    """Say before any pod exists whether a resource starts, what the draft costs, and where it is likely to pay.

    Predictions rank and warn; only measurements decide. Exit code 1: something in it cannot start.

    Example: `breakeven plan -f spd.yaml --batch 1,32,128`
    """
    import json

    from breakeven.api.variant import declared_variant
    from breakeven.cli import plan_table, plan_warm
    from breakeven.cli.yamltext import yaml_text
    from breakeven.planning.document import plan_document
    from breakeven.planning.findings import plan_refuses
    from breakeven.planning.plan import plan as make_plan
    from breakeven.planning.tips import tips

    if article_table:
        plan_table.print_article(as_json=output is PlanOutput.JSON)
        return
    try:
        if file is None:
            raise UsageError("-f/--file is missing: name a file with a SpeculativeDeployment")
        resource = _chosen(file, name, engine_version)
        spec = resource.spec
        asked = _question(
            spec,
            batches=_batches(batch),
            temperature=temperature,
            acceptance=acceptance,
            drafting=drafting_share,
            context=context,
            target_config=_config(config_json, spec.target.model, "--config-json"),
            draft_config=_config(draft_config_json, spec.draft.model if spec.draft else None, "--draft-config-json"),
            profile=_profile(profile),
        )
    except UsageError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    variant = declared_variant(spec)
    made = _with_engine(make_plan(variant, asked), resource, what_if=engine_version is not None)
    advice, warm = tips(variant, asked, made), plan_warm.warm_of(spec)
    document = plan_document(made, advice) | {"warm": warm.document(made)}
    match output:
        case PlanOutput.JSON:
            typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        case PlanOutput.YAML:
            typer.echo(yaml_text([document]), nl=False)
        case PlanOutput.TABLE:
            plan_table.print_plan(made, advice, warm.lines(made))
    if plan_refuses(made):
        raise typer.Exit(1)


def _with_engine(made: "Plan", resource: "Resource", *, what_if: bool) -> "Plan":
    """The plan with what the engine version says about the declared draft and each alternative."""
    from dataclasses import replace

    from breakeven.api.names import NAME_MESSAGE, fits_name
    from breakeven.api.variant import declared_variant
    from breakeven.engines import Refusal
    from breakeven.planning import pairing
    from breakeven.render import check
    from breakeven.render.pools import refused_warm
    from breakeven.render.serving import VERSION_DISAGREES

    spec, declared = resource.spec, declared_variant(resource.spec)
    found = [
        (f, f.field)
        for variant in (declared.baseline, declared)
        for f in check(variant)
        if not (what_if and f.rule == VERSION_DISAGREES)
    ]
    for place, draft in enumerate(spec.alternatives):
        found += [
            (f, f.field.replace("draft", f"alternatives[{place}]", 1))
            for f in check(declared.with_draft(draft))
            if f.field.startswith("draft") and not any(f.message == known.message for known, _ in found)
        ]
    found += [(f, f.field) for f in refused_warm(spec) if not any(f.message == known.message for known, _ in found)]
    said = dict.fromkeys(
        (pairing.refusal if isinstance(f, Refusal) else pairing.warning)(field, f.message) for f, field in found
    )
    refused = [remark for remark in said if remark.severity is pairing.Severity.REFUSAL]
    if not fits_name(resource.name):
        refused.insert(0, pairing.refusal("metadata.name", NAME_MESSAGE))
    rest = [remark for remark in said if remark not in refused]
    return replace(made, remarks=(*refused, *made.remarks, *rest))


def _text(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option}: cannot read {path}: {error}") from None


def _chosen(file: Path, name: str | None, engine_version: str | None) -> "Resource":
    """The resource of that name, or the first of the file; says on stderr when there are others."""
    from breakeven.cli.manifests import read_resources

    found = read_resources(file, engine_version=engine_version)
    if name is not None:
        named = next((resource for resource in found if resource.name == name), None)
        if named is None:
            raise UsageError(f"--name: {name!r} is none of {', '.join(r.name for r in found)}")
        return named
    if len(found) > 1:
        others = ", ".join(resource.name for resource in found[1:])
        typer.echo(f"note: planning {found[0].name}, the first; choose with --name from {others}", err=True)
    return found[0]


def _batches(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise UsageError(f"--batch: {text!r} is no list of whole numbers; write for example 1,32,128") from None
    if not found or any(not 1 <= value <= 100_000 for value in found):
        raise UsageError(f"--batch: {text!r} must hold numbers from 1 to 100000")
    return found


def _config(path: Path | None, model: str | None, option: str) -> dict[str, Any] | None:
    """A config.json that was named, or the one of a model that is a local folder; None when there is neither."""
    import json

    if path is None and model is not None:
        local = Path(model) / "config.json"
        path = local if local.is_file() else None
    if path is None:
        return None
    if path.is_dir():
        path = path / "config.json"
    try:
        loaded = json.loads(_text(path, option))
    except json.JSONDecodeError as error:
        raise UsageError(f"{option}: {path} is not JSON: {error}") from None
    if not isinstance(loaded, dict):
        raise UsageError(f"{option}: {path} is no JSON object")
    return loaded


def _profile(path: Path | None) -> "Profile | None":
    import csv
    import io

    import yaml

    from breakeven.planning.measured import ProfileError, supplied

    if path is None:
        return None
    text = _text(path, "--profile")
    try:
        rows = yaml.safe_load(text) if path.suffix in {".yaml", ".yml"} else list(csv.DictReader(io.StringIO(text)))
    except yaml.YAMLError as error:
        raise UsageError(f"--profile: {path} is not YAML: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"--profile: {path} must be a list of rows")
    try:
        return supplied(rows, source=f"measured, supplied in {path.name}")
    except ProfileError as error:
        raise UsageError(f"--profile: {error}") from None


def _question(
    spec: "SpeculativeDeploymentSpec",
    *,
    batches: tuple[int, ...],
    temperature: float,
    acceptance: float | None,
    drafting: float | None,
    context: int,
    target_config: dict[str, Any] | None,
    draft_config: dict[str, Any] | None,
    profile: "Profile | None",
) -> "Question":
    from breakeven.planning.question import Question

    return Question(
        replicas=spec.replicas,
        batches=batches,
        temperature=temperature,
        alpha=acceptance,
        drafting=drafting,
        context=context,
        target_config=target_config,
        draft_config=draft_config,
        profile=profile,
    )
