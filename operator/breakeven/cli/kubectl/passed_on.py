"""Commands of `breakeven` on what is in the cluster: `plan`, `measure`, `adopt`. All other options are theirs."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breakeven.cli.kubectl.options import Context, Kubeconfig, Name, Namespace, asked

if TYPE_CHECKING:
    from breakeven.plugin.kubectl import Kubectl

REST = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Context settings under which options that are not known here come in `ctx.args`."""


def plan(
    ctx: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Whether the resource starts, what the draft costs, where it is likely to pay: `breakeven plan` on it as it is.

    All options of `breakeven plan` are taken, such as -o json, --engine-version or --batch.

    Example: `kubectl breakeven plan llama-70b -n inference --batch 1,32,128`
    """
    with _on_file(asked(namespace, context, kubeconfig), name) as file:
        _breakeven("plan", "--file", str(file), *ctx.args)


def measure(
    ctx: typer.Context,
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Send load of its own to one replica with and one without speculation: `breakeven measure` on its pods.

    The addresses of the pods have to be reachable from here. All options of `breakeven measure` are taken, such as
    --duration, --prompts or -o DIR.

    Example: `kubectl breakeven measure llama-70b -n inference --duration 10m -o report`
    """
    kubectl = asked(namespace, context, kubeconfig)
    with _on_file(kubectl, name) as file:
        config = _one_context(kubectl, file.parent)
        _breakeven("measure", "--file", str(file), "--kubeconfig", str(config), *ctx.args)


def adopt(
    ctx: typer.Context,
    workload: Annotated[
        str, typer.Argument(metavar="KIND/NAME", help="What serves vLLM now, such as deployment/llama.")
    ],
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the resource that renders what serves already: `breakeven adopt` on a workload of the cluster.

    All options of `breakeven adopt` are taken, such as --diff or --image; files and command lines are for that itself.

    Example: `kubectl breakeven adopt deployment/llama -n inference --diff`
    """
    kubectl = asked(namespace, context, kubeconfig)
    with tempfile.TemporaryDirectory(prefix="breakeven-") as folder:
        config = _one_context(kubectl, Path(folder))
        where = ["--namespace", namespace] if namespace else []
        _breakeven("adopt", "--from", workload, "--kubeconfig", str(config), *where, *ctx.args)


def _one_context(kubectl: "Kubectl", folder: Path) -> Path:
    """A kubeconfig in which the chosen context is the only one there is, for this user alone."""
    config = folder / "kubeconfig"
    config.touch(mode=0o600)
    config.write_text(kubectl.run("config", "view", "--minify", "--flatten", "--raw"), encoding="utf-8")
    return config


@contextlib.contextmanager
def _on_file(kubectl: "Kubectl", name: str) -> Iterator[Path]:
    """The resource as a file, as its author wrote it: without what the API server and the operator added."""
    import json

    from breakeven.plugin.resources import get

    body = get(kubectl, name).body
    written = {key: body["metadata"][key] for key in ("name", "namespace") if key in body["metadata"]}
    bare = {
        "apiVersion": body.get("apiVersion"),
        "kind": body.get("kind"),
        "metadata": written,
        "spec": body.get("spec"),
    }
    with tempfile.TemporaryDirectory(prefix="breakeven-") as folder:
        file = Path(folder) / f"{name}.json"
        file.write_text(json.dumps(bare), encoding="utf-8")
        yield file


def _breakeven(*arguments: str) -> None:
    from breakeven.cli.main import app

    app(list(arguments), prog_name="breakeven", standalone_mode=True)
