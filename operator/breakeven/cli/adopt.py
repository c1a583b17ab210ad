"""`breakeven adopt`: what serves vLLM today as a resource that renders the same."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from breakeven.adopt import Adoption, Choices, Workload


class AdoptOutput(StrEnum):
    """How the resource is printed."""

    YAML = "yaml"
    JSON = "json"


def adopt(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="A command line: vllm serve …, or docker run … IMAGE …."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="Deployment, StatefulSet, InferenceService, LLMInferenceService, Helm values of production-stack or "
            "llm-d, or a compose file; - is standard input.",
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="KIND/NAME", help="Read it from the cluster: deployment/llama.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Namespace of --from and of the result.")
    ] = None,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="Kubeconfig file of --from. Absent: as kubectl finds it.")
    ] = None,
    only: Annotated[str | None, typer.Option(metavar="NAME", help="Of several servers, the one of this name.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the resource. Absent: that of the original.")] = None,
    image: Annotated[str | None, typer.Option(help="Image of the engine. Absent: that of the original.")] = None,
    engine_version: Annotated[
        str | None, typer.Option(metavar="V", help="vLLM version in the image, where its tag does not tell it.")
    ] = None,
    release: Annotated[str, typer.Option(help="Name of the Helm release, for values files.")] = "",
    as_root: Annotated[
        bool, typer.Option("--as-root", help="Keep the image's own user, which strict operators refuse.")
    ] = False,
    output: Annotated[
        AdoptOutput, typer.Option("--output", "-o", help="Print the resource as yaml or json.")
    ] = AdoptOutput.YAML,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff", help="Print instead what is rendered against the original; exit code 1 if anything is lost."
        ),
    ] = False,
) -> None:
    """Print the SpeculativeDeployment that renders what serves today, argument by argument.

    What could not be kept is named on stderr, each with what to do. Nothing is written to the cluster. Exit code 1:
    there is no vLLM in it, or what it comes to cannot be rendered.

    Example: `breakeven adopt --from deployment/llama -n inference --diff`
    """
    from breakeven.adopt import Choices, NotAdoptable
    from breakeven.adopt import adopt as make
    from breakeven.cli.manifests import REFUSED, fail
    from breakeven.cli.yamltext import yaml_text

    choices = Choices(name=name, namespace=namespace, image=image, engine_version=engine_version, as_root=as_root)
    try:
        workloads, services = _read(command, file, source, namespace, kubeconfig, release, name)
        made = [make(workload, choices, services) for workload in _chosen(workloads, only)]
    except NotAdoptable as error:
        raise fail(str(error), REFUSED) from None
    refused = False
    lost = False
    for adoption in made:
        _say(adoption)
        rendered, why = _rendered(adoption)
        refused = refused or bool(why)
        for line in why:
            typer.echo(f"{adoption.resource['metadata']['name']}: refused: {line}", err=True)
        if diff and rendered is not None:
            lines = _difference(adoption, rendered, choices)
            lost = lost or any(line.startswith("-") and not line.startswith("---") for line in lines)
            typer.echo("\n".join(lines))
    if not diff:
        resources = [adoption.resource for adoption in made]
        if output is AdoptOutput.YAML:
            typer.echo(yaml_text(resources), nl=False)
        else:
            listed: Any = (
                resources[0] if len(resources) == 1 else {"apiVersion": "v1", "kind": "List", "items": resources}
            )
            typer.echo(json.dumps(listed, indent=2, ensure_ascii=False))
    if refused or lost:
        raise typer.Exit(REFUSED)


def _read(
    command: list[str] | None,
    file: Path | None,
    source: str | None,
    namespace: str | None,
    kubeconfig: Path | None,
    release: str,
    name: str | None,
) -> "tuple[list[Workload], tuple[dict[str, Any], ...]]":
    from breakeven.adopt import read
    from breakeven.adopt.compose import command_line
    from breakeven.cli.adopt_source import from_cluster, from_file
    from breakeven.cli.manifests import USAGE, fail

    given = [part for part in (command, file, source) if part]
    if len(given) != 1:
        raise fail("write one of -f FILE, --from KIND/NAME, or -- and a command line", USAGE)
    if command:
        return [command_line(command, name=name or "vllm")], ()
    documents = from_file(file) if file is not None else from_cluster(str(source), namespace or "default", kubeconfig)
    return read(documents, release=release)


def _chosen(workloads: "Sequence[Workload]", only: str | None) -> "Sequence[Workload]":
    from breakeven.cli.manifests import USAGE, fail

    if only is None:
        return workloads
    found = [w for w in workloads if w.name == only]
    if not found:
        raise fail(f"--only: {only!r} is none of {', '.join(w.name for w in workloads)}", USAGE)
    return found


def _say(adoption: "Adoption") -> None:
    name, notes = adoption.resource["metadata"]["name"], adoption.notes
    if notes:
        typer.echo(f"{name}: {len(notes)} to look at:", err=True)
    for note in notes:
        typer.echo(f"  {note}", err=True)


def _rendered(adoption: "Adoption") -> tuple[dict[str, Any] | None, list[str]]:
    """The pod template that the resource renders, and why it does not where that is so."""
    from pydantic import ValidationError

    from breakeven.api.spec import SpeculativeDeploymentSpec
    from breakeven.api.status import Role
    from breakeven.api.variant import declared_variant
    from breakeven.domain.decision import Placement
    from breakeven.render import Owner, desired

    metadata = adoption.resource["metadata"]
    try:
        spec = SpeculativeDeploymentSpec.model_validate_json(json.dumps(adoption.resource["spec"]))
    except ValidationError as error:
        return None, [f"spec.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    variant = declared_variant(spec)
    placement = Placement(variant=variant, role=Role.STABLE, replicas=spec.replicas)
    owner = Owner(name=metadata["name"], namespace=metadata.get("namespace", "default"))
    made = desired(owner, [placement], service=spec.service)
    if made.refusals:
        return None, [f"spec.{refusal}" for refusal in made.refusals]
    template: dict[str, Any] = made.deployments[variant.name]["spec"]["template"]
    return template, []


def _difference(adoption: "Adoption", rendered: dict[str, Any], choices: "Choices") -> list[str]:
    from breakeven.adopt import difference, normalised
    from breakeven.engines import Refusal, load, version_in_image

    version = choices.engine_version or version_in_image(adoption.resource["spec"]["engine"]["image"])
    release = load().engine(str(version).removeprefix("v")) if version is not None else None
    known = None if isinstance(release, Refusal) else release
    engine = rendered["spec"]["containers"][0]
    workload = adoption.workload
    return difference(normalised(workload.template, workload.engine, known), normalised(rendered, engine, known))
