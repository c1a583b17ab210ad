"""`breakeven lab`: a real control plane on this machine, with fake GPU nodes and pods that are local processes."""

import json
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="A real etcd, kube-apiserver, controller manager, scheduler and Prometheus on loopback, without root or "
    "containers. GPU nodes are fake, and engines are simulated unless an image is mapped to a real one.\n\n"
    "Example: `breakeven lab up && export KUBECONFIG=$(breakeven lab kubeconfig)`",
)

Name = Annotated[str, typer.Option("--name", "-n", help="Name of the lab; several can run side by side.")]
Output = Annotated[str, typer.Option("--output", "-o", help="`json` prints only JSON on stdout.", metavar="text|json")]
DEFAULT_NAME = "breakeven"
TAIL_LINES = 50
FOLLOW_SECONDS = 0.2


def _fail(message: object, code: int = 1) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _node(text: str) -> dict[str, Any]:
    """NAME=PRODUCT:GPUS, PRODUCT h100 or h200 or a label value."""
    from breakeven.lab.settings import H100, H200

    name, _, rest = text.partition("=")
    product, _, gpus = rest.partition(":")
    if not name or not product or not gpus.isdigit():
        _fail(f"--node {text!r}: write NAME=PRODUCT:GPUS, such as gpu-a=h100:8", 2)
    return {"name": name, "product": {"h100": H100, "h200": H200}.get(product.lower(), product), "gpus": int(gpus)}


def _image(text: str) -> dict[str, Any]:
    """PATTERN=COMMAND, split as a shell would."""
    import shlex

    pattern, separator, command = text.partition("=")
    if not pattern or not separator or not command.strip():
        _fail(f"--image {text!r}: write PATTERN=COMMAND, such as 'vllm/vllm-openai:.*=./run-vllm {{ip}} {{args}}'", 2)
    return {"pattern": pattern, "command": shlex.split(command)}


def _settings(path: Path | None, changes: dict[str, Any]) -> Any:
    """The file's settings, changed by the options; commands of the file are relative to its folder."""
    import yaml
    from pydantic import ValidationError

    from breakeven.lab.settings import parse_settings

    try:
        base = (yaml.safe_load(path.read_text()) or {}) if path else {}
        if not isinstance(base, dict):
            _fail(f"--settings {path}: write an object, as in docs/lab.md", 2)
        settings = parse_settings(base | changes)
        folder = path.parent if path is not None and "images" not in changes else Path()
        return settings.relative_to(folder)
    except (OSError, yaml.YAMLError) as error:
        _fail(f"--settings {path}: {error}", 2)
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 2)


@app.command()
def up(
    name: Annotated[
        str | None,
        typer.Option("--name", "-n", help="Name of the lab; several run side by side. Default: that of the settings."),
    ] = None,
    node: Annotated[
        list[str] | None,
        typer.Option(help="NAME=PRODUCT:GPUS, PRODUCT being h100, h200 or a label value. Default: 8 H100 and 8 H200."),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(help="PATTERN=COMMAND: pods whose image matches run COMMAND, with {ip} {tag} {args} filled in."),
    ] = None,
    scrape_interval: Annotated[
        float | None, typer.Option(help="Seconds between two scrapes of a pod. Default: the settings', or 1.")
    ] = None,
    audit: Annotated[bool, typer.Option("--audit", help="Write one line per API request to logs/audit.log.")] = False,
    settings: Annotated[
        Path | None, typer.Option(help="YAML or JSON file with all settings (docs/lab.md); options above win over it.")
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, and take the lab down at Ctrl-C or whenever this ends.")
    ] = False,
) -> None:
    """Start a lab; returns when it is ready, in some 5 s. The first time it builds what is missing, in some 11 min.

    Example: `breakeven lab up --name try --node a=h100:8 --node b=h200:1`
    """
    from breakeven.lab.errors import LabError
    from breakeven.lab.handle import RunningLab
    from breakeven.lab.tools.build import build
    from breakeven.lab.tools.pins import ToolsMissingError, load

    changes: dict[str, Any] = {"name": name} if name else {}
    if node:
        changes["nodes"] = [_node(text) for text in node]
    if image:
        changes["images"] = [_image(text) for text in image]
    if scrape_interval is not None:
        changes["scrape_interval_seconds"] = scrape_interval
    if audit:
        changes["audit"] = True
    parsed = _settings(settings, changes)
    began = time.monotonic()
    try:
        build(load(), "demo")
        lab = RunningLab.start(
            parsed, progress=lambda stage: typer.echo(f"  starting {stage}", err=True), detached=not foreground
        )
    except (LabError, ToolsMissingError) as error:
        _fail(error)
    typer.echo(f"lab {parsed.name!r} is up after {time.monotonic() - began:.1f} s", err=True)
    _describe(lab)
    if foreground:
        _stay(lab)


def _describe(lab: Any) -> None:
    typer.echo(f"export KUBECONFIG={lab.kubeconfig}")
    typer.echo(f"# API server  {lab.server}")
    typer.echo(f"# Prometheus  {lab.prometheus_url}")
    typer.echo(f"# kubectl     {lab.tool('kubectl')}")
    typer.echo(f"# logs        {lab.directory / 'logs'}")


def _stay(lab: Any) -> None:
    try:
        while lab.state.alive():
            time.sleep(0.5)
        _fail(f"the lab ended by itself: see {lab.directory / 'logs' / 'lab.log'}")
    except KeyboardInterrupt:
        typer.echo("taking the lab down", err=True)
    finally:
        lab.down()


@app.command()
def down(
    name: Name = DEFAULT_NAME,
    everything: Annotated[bool, typer.Option("--all", help="Take every lab of this user down.")] = False,
) -> None:
    """Stop a lab and all of its processes. Its logs stay until it is started again.

    Example: `breakeven lab down --name try`
    """
    from breakeven.lab import paths
    from breakeven.lab.errors import LabError
    from breakeven.lab.stop import stop_lab

    try:
        found = [path.name for path in _directories()] if everything else [name]
        for one in found:
            ended = stop_lab(paths.lab_directory(one))
            typer.echo(f"lab {one!r} is down" if ended else f"lab {one!r} was not up", err=True)
    except LabError as error:
        _fail(error)


def _directories() -> list[Path]:
    from breakeven.lab import paths
    from breakeven.lab.state import FILE

    base = paths.labs_directory()
    return sorted(path for path in base.iterdir() if (path / FILE).exists()) if base.is_dir() else []


@app.command()
def status(
    name: Annotated[str | None, typer.Option("--name", "-n", help="Only this lab; default is all of them.")] = None,
    output: Output = "text",
) -> None:
    """Say which labs there are, and what runs in them. Exit status 1 when the one asked for is not up.

    Example: `breakeven lab status -o json`
    """
    from breakeven.lab import paths
    from breakeven.lab.errors import LabError

    try:
        wanted = [paths.lab_directory(name)] if name else _directories()
    except LabError as error:
        _fail(error, 2)
    labs = [_look(directory) for directory in wanted]
    if output == "json":
        typer.echo(json.dumps(labs, indent=2))
    else:
        for lab in labs:
            typer.echo(f"{lab['name']}: {lab['state']}")
            for key in ("server", "prometheus", "kubeconfig", "block", "components", "nodes", "pods", "services"):
                if key in lab:
                    typer.echo(f"  {key:<11} {_plain(lab[key])}")
        if not labs:
            typer.echo("no lab; start one with `breakeven lab up`", err=True)
    if name and labs[0]["state"] != "up":
        raise typer.Exit(1)


def _plain(value: Any) -> str:
    return ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)


def _look(directory: Path) -> dict[str, Any]:
    from breakeven.lab.errors import LabError
    from breakeven.lab.handle import RunningLab
    from breakeven.lab.state import read_state

    try:
        state = read_state(directory)
    except LabError:
        return {"name": directory.name, "state": "down"}
    known = {
        "name": state.name,
        "state": "up" if state.alive() else "crashed",
        "directory": str(directory),
        "server": state.server,
        "prometheus": state.prometheus,
        "kubeconfig": state.kubeconfig,
        "block": f"{state.block}/16",
    }
    if not state.alive():
        return known
    try:
        return known | RunningLab(directory, state).control("status", {})
    except LabError as error:
        return known | {"state": "not answering", "error": str(error)}


@app.command()
def kubeconfig(
    name: Name = DEFAULT_NAME,
    user: Annotated[
        str | None,
        typer.Option(help="Of this user instead of the administrator, such as system:serviceaccount:NAMESPACE:NAME."),
    ] = None,
) -> None:
    """Print the path of a kubeconfig.

    Example: `export KUBECONFIG=$(breakeven lab kubeconfig)`
    """
    from breakeven.lab.errors import LabError
    from breakeven.lab.handle import RunningLab

    try:
        lab = RunningLab.attach(name)
        typer.echo(lab.kubeconfig_for(user) if user else lab.kubeconfig)
    except LabError as error:
        _fail(error)


@app.command()
def logs(
    component: Annotated[
        str | None, typer.Argument(help="Such as kube-apiserver; without one they are listed.")
    ] = None,
    name: Name = DEFAULT_NAME,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option(help="Lines from the end.", min=0)] = TAIL_LINES,
) -> None:
    """Print the log of a component, of a lab that runs or ran last. Pods: `kubectl logs`.

    Example: `breakeven lab logs kube-scheduler -f`
    """
    from breakeven.lab import paths
    from breakeven.lab.errors import LabError

    try:
        folder = paths.lab_directory(name) / "logs"
    except LabError as error:
        _fail(error, 2)
    known = sorted(path.stem for path in folder.glob("*.log"))
    if component is None:
        for one in known:
            typer.echo(one)
        return
    if component not in known:
        _fail(f"no log of {component!r} in {folder}: {', '.join(known) or 'the lab never ran'}")
    _print_log(folder / f"{component}.log", tail, follow)


def _print_log(path: Path, tail: int, follow: bool) -> None:
    from breakeven.lab.kubelet.logserver import tail_offset

    with path.open("rb") as log:
        log.seek(tail_offset(path, tail))
        try:
            while True:
                if text := log.read():
                    typer.echo(text.decode(errors="replace"), nl=False)
                if not follow:
                    return
                time.sleep(FOLLOW_SECONDS)
        except KeyboardInterrupt:
            return
