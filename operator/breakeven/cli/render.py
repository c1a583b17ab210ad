"""`breakeven render`: the objects and arguments a resource leads to, without a cluster."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from breakeven.cli.manifests import Resource
    from breakeven.control.warm.pools import WarmWanted
    from breakeven.domain.decision import Placement
    from breakeven.render import Rendering


class Output(StrEnum):
    """What is printed."""

    YAML = "yaml"
    JSON = "json"
    ARGS = "args"


class Speculation(StrEnum):
    """Which variants are printed."""

    BOTH = "both"
    ON = "on"
    OFF = "off"


def render(
    file: Annotated[
        Path, typer.Option("--file", "-f", metavar="FILE", help="Resource, YAML or JSON; - is standard input.")
    ],
    engine_version: Annotated[
        str | None, typer.Option(metavar="V", help="Render for this vLLM version, for example 0.24.0.")
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Manifests as yaml or json, or only the engine's args.")
    ] = Output.YAML,
    speculation: Annotated[
        Speculation, typer.Option(help="Variants to print: without speculation (off), with it (on), or both.")
    ] = Speculation.BOTH,
) -> None:
    """Print the objects of a resource: without speculation, with it, and with each alternative.

    Works offline. What the engine version cannot do is refused by field, with the versions that can: exit code 1.

    Example: `breakeven render -f manifests/samples/llama-70b-draft-model.yaml --engine-version 0.24.0 -o args`
    """
    from breakeven.cli.manifests import REFUSED, read_resources
    from breakeven.render import Owner, desired
    from breakeven.render.serving import VERSION_DISAGREES

    renderings = []
    refused = False
    for resource in read_resources(file, engine_version=engine_version):
        placements = _placements(resource, speculation)
        owner = Owner(name=resource.name, namespace=resource.namespace)
        warm = _warm(resource, placements)
        made = desired(owner, placements if warm is None else (), warm=warm, service=resource.spec.service)
        refused = refused or bool(made.refusals)
        for kind, findings in (("refused", made.refusals), ("caution", made.cautions)):
            for finding in findings:
                if engine_version is not None and finding.rule == VERSION_DISAGREES:
                    continue
                field = finding.field if finding.field.startswith("metadata") else f"spec.{finding.field}"
                typer.echo(f"{resource.name}: {kind}: {field}: {finding.message}", err=True)
        renderings.append((placements, made))
    if refused:
        raise typer.Exit(REFUSED)
    _print(renderings, output)


def _placements(resource: "Resource", speculation: Speculation) -> "list[Placement]":
    from breakeven.api.status import Role
    from breakeven.api.variant import declared_variant
    from breakeven.domain.decision import Placement

    declared = declared_variant(resource.spec)
    variants = [declared.baseline] if speculation is not Speculation.ON else []
    if speculation is not Speculation.OFF:
        variants += [declared.with_draft(d) for d in (declared.draft, *resource.spec.alternatives) if d is not None]
    # The operator moves replicas between variants; before it measured anything they are all the first one's.
    return [
        Placement(
            variant=variant,
            role=Role.STABLE if place == 0 else Role.CANARY,
            replicas=resource.spec.replicas if place == 0 else 0,
        )
        for place, variant in enumerate(variants)
    ]


def _warm(resource: "Resource", placements: "list[Placement]") -> "WarmWanted | None":
    """The pool of replicas that hold the first two of these; None where each replica holds one.

    The digest of a token is the operator's to make: there is none offline.
    """
    from breakeven.control.warm.pools import Held, WarmWanted, is_switched_warm

    if not is_switched_warm(resource.spec):
        return None
    first = placements[0]
    held = Held(variants=tuple(p.variant for p in placements[:2]), role=first.role, replicas=first.replicas)
    return WarmWanted(pools=(held,), switching=resource.spec.policy.switching, token_digest="")


def _print(renderings: "list[tuple[list[Placement], Rendering]]", output: Output) -> None:
    import json

    from breakeven.cli.yamltext import yaml_text

    objects: list[dict[str, Any]] = [o for _, made in renderings for o in made.objects]
    match output:
        case Output.YAML:
            typer.echo(yaml_text(objects), nl=False)
        case Output.JSON:
            typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
        case Output.ARGS:
            typer.echo("\n".join(_command_lines(renderings)))


def _command_lines(renderings: "list[tuple[list[Placement], Rendering]]") -> list[str]:
    import json

    lines = []
    for placements, made in renderings:
        for placed in placements:
            if placed.variant.name not in made.deployments:
                continue  # a warm replica holds it
            deployment = made.deployments[placed.variant.name]
            container = deployment["spec"]["template"]["spec"]["containers"][0]
            lines.append(f"# {deployment['metadata']['name']}: {_drafting(placed)}")
            lines += [*container["command"], *container["args"]]
        for slots in (m for m in made.shared if m["kind"] == "ConfigMap" and "slots.json" in m["data"]):
            names = {placed.variant.name: _drafting(placed) for placed in placements}
            for engine in json.loads(slots["data"]["slots.json"])["variants"]:
                lines.append(f"# {slots['metadata']['name']}: {names[engine['variant']]}")
                lines += engine["argv"]
    return lines


def _drafting(placed: "Placement") -> str:
    draft = placed.variant.draft
    return f"{draft.method.value} k={draft.num_speculative_tokens}" if draft else "no speculation"
