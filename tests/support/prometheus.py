"""A real Prometheus for tests: it scrapes what it is told to, or serves blocks that promtool made from OpenMetrics."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from breakeven.lab.tools.find import require

Point = tuple[float, Mapping[tuple[str, tuple[tuple[str, str], ...]], float]]
"""Time, and value by metric name and labels."""


def page_values(text: str, extra: Mapping[str, str]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of a page, with labels added as a scrape would."""
    values = {}
    for name, labels, value in re.findall(r"^([a-zA-Z_:]+)(?:\{([^}]*)\})? (\S+)$", text, flags=re.MULTILINE):
        own = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        values[name, tuple(sorted({**own, **extra}.items()))] = float(value)
    return values


def openmetrics(points: Iterable[Point]) -> str:
    """OpenMetrics text of samples with timestamps, series by series."""
    series: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[float, float]]] = {}
    for at, values in points:
        for key, value in values.items():
            series.setdefault(key, []).append((at, value))
    lines = []
    for (name, labels), samples in series.items():
        # A label name that is no identifier stands in quotes, and the metric name then stands within the braces.
        quoted = any(not re.fullmatch(r"\w+", k) for k, _ in labels)
        text = ",".join(f'"{k}"="{v}"' if quoted else f'{k}="{v}"' for k, v in labels)
        series_text = f'{{"{name}",{text}}}' if quoted else f"{name}{{{text}}}"
        lines += [f"{series_text} {value!r} {at:.3f}" for at, value in sorted(samples)]
    return "\n".join([*lines, "# EOF\n"])


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@contextmanager
def prometheus(
    folder: Path, *, recorded: str = "", scrape: Sequence[Mapping[str, Any]] = (), interval: str = "1s"
) -> Iterator[str]:
    """Run Prometheus on loopback until the block ends; its address."""
    tools = require("prometheus", "promtool")
    data = folder / "data"
    data.mkdir(parents=True)
    if recorded:
        text = folder / "recorded.om"
        text.write_text(recorded)
        command = [tools["promtool"], "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(data)]
        made = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert made.returncode == 0, made.stderr
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"global": {"scrape_interval": interval}, "scrape_configs": list(scrape)}))
    address = f"127.0.0.1:{free_port()}"
    log = (folder / "prometheus.log").open("w")
    process = subprocess.Popen(
        [
            str(tools["prometheus"]),
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address={address}",
            "--storage.tsdb.retention.time=20y",
            "--log.level=warn",
        ],
        stdout=log,
        stderr=log,
        env={"PATH": os.environ.get("PATH", ""), "GOMAXPROCS": "1"},
    )
    try:
        _await_ready(f"http://{address}", process)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _await_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "Prometheus ended; see its log"
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("Prometheus did not become ready")


def ask(url: str, query: str, at: float) -> list[dict[str, Any]]:
    """An instant query, asked without the product's code."""
    with urllib.request.urlopen(f"{url}/api/v1/query?query={urllib.parse.quote(query)}&time={at}", timeout=10) as a:
        result: list[dict[str, Any]] = json.load(a)["data"]["result"]
        return result
