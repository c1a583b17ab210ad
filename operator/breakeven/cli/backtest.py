"""`breakeven backtest`: what would have been decided over recorded history."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from breakeven.adapters.prometheus.questions import Asks
    from breakeven.backtest.recorded import RecordedArm
    from breakeven.cli.manifests import Resource
    from breakeven.domain.replay import Replay

USAGE = 2


class Output(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    JSON = "json"


def backtest(
    file: Annotated[
        Path, typer.Option("--file", "-f", metavar="FILE", help="A SpeculativeDeployment; the first in the file.")
    ],
    prometheus: Annotated[str, typer.Option(metavar="URL", help="Any Prometheus, Thanos or Mimir with the history.")],
    start: Annotated[
        str, typer.Option(metavar="TIME", help="2026-11-01T00:00:00Z, or how long ago, for example 720h.")
    ],
    end: Annotated[str, typer.Option(metavar="TIME", help="The same. Default: now.")] = "0s",
    on: Annotated[
        str | None,
        typer.Option(metavar="SELECTOR", help='Replicas with speculation: namespace="x",pod=~"llama-spec-.*".'),
    ] = None,
    off: Annotated[str | None, typer.Option(metavar="SELECTOR", help="Replicas without speculation.")] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="Metric prefix such as kserve_vllm:. Default: detected.")
    ] = None,
    node_label: Annotated[
        str, typer.Option(metavar="LABEL", help="Label of the series that names the node of a replica, if one does.")
    ] = "node",
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Bearer token for Prometheus.")] = None,
    ca_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificates to trust.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="table or json.")] = Output.TABLE,
) -> None:
    """Run the operator's observation and decisions over recorded history. Touches nothing.

    Answers what Breakeven would have decided, when and on which evidence, before anything is installed. Without
    selectors, the replicas are those that the operator itself would have named for this resource.

    Example: `breakeven backtest -f spd.yaml --prometheus http://127.0.0.1:9090 --start 720h
    --on 'pod=~"llama-spec-.*"' --off 'pod=~"llama-plain-.*"'`
    """
    from breakeven.adapters.prometheus.client import Endpoint, PrometheusClient
    from breakeven.adapters.prometheus.credentials import Credentials
    from breakeven.adapters.prometheus.errors import MetricsError
    from breakeven.cli import backtest_view
    from breakeven.cli.manifests import read_resources

    begins, ends = _span(start, end)
    resource = read_resources(file)[0]
    if resource.spec.draft is None:
        raise _usage(f"{file}: spec.draft is absent: without a draft there is nothing to decide")
    arms = _arms(resource, on, off, node_label)
    who = Credentials(token_file=token_file)
    endpoint = Endpoint(url=prometheus, credentials=who, ca_file=ca_file, read_timeout_s=60.0, max_bytes=1 << 30)
    try:
        with closing(PrometheusClient(endpoint)) as client:
            replay = _run(client, resource, arms, begins=begins, ends=ends, prefix=prefix)
    except MetricsError as error:
        raise _usage(f"--prometheus {prometheus}: {error}") from None
    silent = [name for name, arm in zip(("--on", "--off"), arms, strict=True) if not arm.seen]
    for name in silent:
        typer.echo(f"error: no vLLM series for {name}: {arms[name == '--off'].matchers}", err=True)
    if output is Output.JSON:
        typer.echo(backtest_view.as_json(replay, arms, begins=begins, ends=ends))
    else:
        backtest_view.show(replay, arms, begins=begins, ends=ends)
    if silent:
        raise typer.Exit(1)


def _usage(message: str) -> typer.Exit:
    typer.echo(f"error: {message}", err=True)
    return typer.Exit(USAGE)


def _span(start: str, end: str) -> tuple[datetime, datetime]:
    now = datetime.now(UTC).replace(microsecond=0)
    try:
        begins, ends = _moment(start, now), _moment(end, now)
    except ValueError as error:
        raise _usage(f"--start, --end: {error}") from None
    if not begins < ends <= now:
        raise _usage("--start must lie before --end, and --end not in the future")
    return begins, ends


def _moment(text: str, now: datetime) -> datetime:
    from breakeven.api.scalars import parse_duration, parse_time

    if text[:1].isdigit() and "-" in text:
        return parse_time(text)
    return now - (timedelta(0) if text in ("0s", "now") else parse_duration(text))


def _arms(resource: "Resource", on: str | None, off: str | None, node_label: str) -> "tuple[RecordedArm, RecordedArm]":
    """The arm with speculation and the one without, by the selectors or by the names the operator gives."""
    from breakeven.api.variant import declared_variant
    from breakeven.backtest.recorded import RecordedArm
    from breakeven.backtest.selectors import SelectorError, label_matchers
    from breakeven.domain.counters.windows import batch_length, history

    variant, evidence = declared_variant(resource.spec), resource.spec.evidence
    pods = f'namespace="{resource.namespace}",pod=~"{resource.name}-{{}}-.+"'
    made = []
    for text, name in ((on, variant.name), (off, variant.baseline.name)):
        try:
            matchers = label_matchers(text if text is not None else pods.format(name))
        except SelectorError as error:
            raise _usage(str(error)) from None
        made.append(
            RecordedArm(
                matchers=matchers,
                length=batch_length(evidence).total_seconds(),
                warmup=evidence.warmup.total_seconds(),
                keep=history(evidence).total_seconds(),
                node_label=node_label,
            )
        )
    return made[0], made[1]


def _run(
    client: "Asks",
    resource: "Resource",
    arms: "tuple[RecordedArm, RecordedArm]",
    *,
    begins: datetime,
    ends: datetime,
    prefix: str | None,
) -> "Replay":
    from breakeven.api.variant import declared_variant
    from breakeven.backtest.recorded import Record
    from breakeven.domain.replay import Replay, Seen, replayable

    spec, _ = replayable(resource.spec)
    evidence, variant = spec.evidence, declared_variant(spec)
    lead = evidence.warmup + evidence.window
    record = Record(client, arms, begins=(begins - lead).timestamp(), ends=ends.timestamp(), buckets=True)
    record.find_names(prefix)
    replay = Replay(spec)
    on, off = arms
    for now in _followed(begins, ends, on.length):
        record.read_to(now.timestamp())
        seen = [
            Seen(arm=arm.look(now.timestamp(), name), changed=_time(arm.changed_at), nodes=arm.present_nodes())
            for arm, name in ((off, variant.baseline.name), (on, variant.name))
        ]
        replay.look(seen[0], seen[1], now)
    return replay


def _followed(begins: datetime, ends: datetime, length: float) -> Iterator[datetime]:
    """The looks, with a bar on stderr where that is a terminal: a month of history takes minutes."""
    from rich.console import Console
    from rich.progress import track

    bar = Console(stderr=True)
    count = int((ends - begins).total_seconds() / length) + 1
    looks = _looks(begins, ends, length)
    yield from track(looks, "replaying", total=count, console=bar, transient=True, disable=not bar.is_terminal)


def _time(unix: float | None) -> datetime | None:
    return datetime.fromtimestamp(unix, UTC) if unix is not None else None


def _looks(begins: datetime, ends: datetime, length: float) -> Iterator[datetime]:
    """One look per batch; the operator looks more often, and sees nothing new in between."""
    now = begins
    while now <= ends:
        yield now
        now += timedelta(seconds=length)
