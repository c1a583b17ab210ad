"""`breakeven inspect` on pages recorded from real vLLM servers, against arithmetic done apart from its code."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from breakeven.cli.main import app

DATA = Path(__file__).parents[2] / "data"
CPU = DATA / "vllm-cpu"
ORDER = ("before", "t0", "t0.4", "t0.8", "t1.0")
SPECULATING = ("draft_model-medium-fixed", "draft_model-same-probabilistic-fixed", "ngram-fixed")


def run(*arguments: str | Path, expect: int = 0) -> Any:
    result = CliRunner().invoke(app, ["inspect", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return result


def figures(variant: str, before: str, after: str) -> dict[str, Any]:
    result = run("--before", CPU / f"{variant}-{before}.prom", "--after", CPU / f"{variant}-{after}.prom", "-o", "json")
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def raw(page: Path, name: str) -> float:
    """One number of a page, found as one would with grep."""
    found = re.findall(rf"^vllm:{name}(?:\{{[^}}]*\}})? (\S+)$", page.read_text(), flags=re.MULTILINE)
    assert len(found) == 1, (page, name)
    return float(found[0])


def grown(variant: str, before: str, after: str, name: str) -> float:
    return raw(CPU / f"{variant}-{after}.prom", name) - raw(CPU / f"{variant}-{before}.prom", name)


@pytest.mark.parametrize("pair", list(pairwise(ORDER)), ids=lambda p: f"{p[0]}-{p[1]}")
@pytest.mark.parametrize("variant", SPECULATING)
def test_every_recorded_pair_gives_what_its_numbers_give_by_hand(variant: str, pair: tuple[str, str]) -> None:
    server = figures(variant, *pair)["server"]
    drafted = grown(variant, *pair, "spec_decode_num_draft_tokens_total")
    accepted = grown(variant, *pair, "spec_decode_num_accepted_tokens_total")
    tokens = grown(variant, *pair, "generation_tokens_total") - grown(
        variant, *pair, "time_to_first_token_seconds_count"
    )
    steps = grown(variant, *pair, "inter_token_latency_seconds_count")
    seconds = grown(variant, *pair, "inter_token_latency_seconds_sum")
    assert server["acceptance"] == pytest.approx(accepted / drafted, rel=1e-12)
    assert server["tokensPerStep"] == pytest.approx(tokens / steps, rel=1e-12)
    assert server["tpotMs"] == pytest.approx(1000 * seconds / tokens, rel=1e-9)
    assert server["stepMs"] == pytest.approx(1000 * seconds / steps, rel=1e-9)
    assert server["interTokenLatencyCounts"] in ("PerStep", "Unknown")


@pytest.mark.parametrize("pair", list(pairwise(ORDER)), ids=lambda p: f"{p[0]}-{p[1]}")
def test_without_speculation_acceptance_is_absent_and_e_is_one(pair: tuple[str, str]) -> None:
    server = figures("nospec", *pair)["server"]
    assert server["acceptance"] is None
    assert server["draftedTokens"] is None
    assert "speculation is off" in server["absent"]["acceptance"]
    assert server["tokensPerStep"] == 1.0


@pytest.mark.parametrize(
    ("variant", "before", "after", "acceptance", "tokens_per_step", "tpot_ms"),
    [
        # (2118 - 1082) / (6908 - 3356); (1920 - 12) / (1727 - 839); 21.809362250 s / 1908
        ("draft_model-medium-fixed", "t0", "t0.4", 0.291667, 2.148649, 11.430483),
        # (3833 - 3033) / (15388 - 10924); 1908 / 1116; 40.122978414 s / 1908
        ("draft_model-medium-fixed", "t0.8", "t1.0", 0.179211, 1.709677, 21.028815),
        # 1536 / 1536; 1908 / 384; 12.388583790 s / 1908
        ("draft_model-same-probabilistic-fixed", "before", "t0", 1.0, 4.968750, 6.492968),
        # 1338 / 1444; 1908 / 604, though 1 + 1338 / 361 = 4.71: steps without a draft count too; 8.924405201 s / 1908
        ("ngram-fixed", "before", "t0", 0.926593, 3.158940, 4.677361),
        # 143 / 797; 1908 / 1774; 16.659679114 s / 1908
        ("ngram-fixed", "t0.8", "t1.0", 0.179423, 1.075536, 8.731488),
    ],
)
def test_figures_written_down_from_the_pages(
    variant: str, before: str, after: str, acceptance: float, tokens_per_step: float, tpot_ms: float
) -> None:
    server = figures(variant, before, after)["server"]
    assert server["acceptance"] == pytest.approx(acceptance, abs=1e-6)
    assert server["tokensPerStep"] == pytest.approx(tokens_per_step, abs=1e-6)
    assert server["tpotMs"] == pytest.approx(tpot_ms, abs=1e-5)


def test_survival_by_position_is_read_from_the_page() -> None:
    server = figures("draft_model-medium-fixed", "before", "t0.8")["server"]
    assert server["survival"] == pytest.approx([1505 / 2731, 822 / 2731, 454 / 2731, 252 / 2731])
    assert server["conditional"] == pytest.approx([1505 / 2731, 822 / 1505, 454 / 822, 252 / 454])


def test_a_page_of_a_real_h200_server_gives_its_figures(tmp_path: Path) -> None:
    page = DATA / "h200-vllm-0.26.0.prom"
    start = tmp_path / "start.prom"
    start.write_text(re.sub(r"^(vllm:.*) \S+$", r"\1 0.0", page.read_text(), flags=re.MULTILINE))
    server = json.loads(run("--before", start, "--after", page, "-o", "json").stdout)["server"]
    assert server["acceptance"] == pytest.approx(13174 / 25917)
    assert server["tokensPerStep"] == pytest.approx((21760 - 340) / 8639)
    assert server["tpotMs"] == pytest.approx(1000 * 426.3688157720002 / 21420)
    assert server["survival"] == pytest.approx([5994 / 8639, 4242 / 8639, 2938 / 8639])


def test_two_servers_give_a_speed_up_and_say_why_it_has_no_bounds() -> None:
    on, off = "ngram-fixed", "nospec"
    document = json.loads(
        run(
            *("--before", CPU / f"{on}-before.prom", "--after", CPU / f"{on}-t0.prom"),
            *("--against-before", CPU / f"{off}-before.prom", "--against-after", CPU / f"{off}-t0.prom"),
            *("-o", "json"),
        ).stdout
    )
    assert document["speedup"]["value"] == pytest.approx((11.326157157000125 / 1908) / (8.9244052009999 / 1908))
    assert document["speedup"]["lower"] is None
    assert "intervals" in document["speedup"]["absent"]
    assert document["control"]["tokensPerStep"] == 1.0


def test_swapped_pages_are_noticed() -> None:
    pages = ("--before", CPU / "nospec-t0.4.prom", "--after", CPU / "nospec-t0.prom")
    assert "swapped" in run(*pages, expect=1).stderr


def test_pages_of_two_servers_are_noticed() -> None:
    pages = ("--before", CPU / "nospec-t0.prom", "--after", CPU / "ngram-fixed-t0.prom")
    assert "pages are not of one server" in run(*pages, expect=1).stderr


def test_a_page_that_is_no_vllms_is_named(tmp_path: Path) -> None:
    other = tmp_path / "node.prom"
    other.write_text("# TYPE node_load1 gauge\nnode_load1 0.5\n")
    message = run("--before", other, "--after", other, expect=2).stderr
    assert "node.prom: not a vLLM's metric page" in message
    other.write_text("<html>not found</html>")
    assert "not a metric page" in run("--before", other, "--after", other, expect=2).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--before", "a.prom"),
        ("http://127.0.0.1:1", "--before", "a.prom", "--after", "b.prom"),
        ("--before", "a", "--after", "b", "--against", "http://x"),
        ("http://127.0.0.1:1", "--for", "soon"),
    ],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...]) -> None:
    run(*arguments, expect=2)


def test_a_server_that_is_not_there_is_named() -> None:
    message = run("127.0.0.1:1", "--for", "1s", expect=2).stderr
    assert "http://127.0.0.1:1/metrics: cannot be reached" in message


@dataclass
class Engine:
    """Serves a page whose counters grow with every scrape."""

    seconds_per_step: float
    tokens_per_step: float
    accepted_per_step: float | None
    address: str = ""
    scrapes: int = 0
    restart_at: int | None = None
    lines: list[str] = field(default_factory=list)

    def page(self) -> str:
        self.scrapes += 1
        age = self.scrapes if self.restart_at is None or self.scrapes < self.restart_at else 1
        steps = sum(100 + 7 * (i % 3) for i in range(age))
        seconds = sum((100 + 7 * (i % 3)) * self.seconds_per_step * (1 + 0.01 * (i % 4)) for i in range(age))
        lines = [
            f'vllm:generation_tokens_total{{engine="0"}} {steps * self.tokens_per_step + age}',
            f'vllm:time_to_first_token_seconds_count{{engine="0"}} {age}',
            f'vllm:inter_token_latency_seconds_count{{engine="0"}} {steps}',
            f'vllm:inter_token_latency_seconds_sum{{engine="0"}} {seconds}',
        ]
        if self.accepted_per_step is not None:
            lines += [
                f'vllm:spec_decode_num_drafts_total{{engine="0"}} {steps}',
                f'vllm:spec_decode_num_draft_tokens_total{{engine="0"}} {steps * 4}',
                f'vllm:spec_decode_num_accepted_tokens_total{{engine="0"}} {steps * self.accepted_per_step}',
            ]
        return "\n".join(lines) + "\n"


@pytest.fixture
def engines() -> Iterator[tuple[Engine, Engine]]:
    pair = (Engine(0.03, 2.5, 1.5), Engine(0.02, 1.0, None))
    servers = []
    for engine in pair:

        class Handler(BaseHTTPRequestHandler):
            served = engine

            def do_GET(self) -> None:
                body = self.served.page().encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        engine.address = f"127.0.0.1:{server.server_port}"
        servers.append((server, thread))
    yield pair
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_measurement_over_time_gives_the_speed_up_with_bounds(engines: tuple[Engine, Engine]) -> None:
    on, off = engines
    result = run(on.address, "--against", off.address, "--for", "1s", "-o", "json")
    document = json.loads(result.stdout)
    speedup = document["speedup"]
    assert (on.scrapes, off.scrapes) == (11, 11)
    assert speedup["value"] == pytest.approx(2.5 * 0.02 / 0.03)
    assert speedup["lower"] < speedup["value"] < speedup["upper"]
    assert speedup["upper"] - speedup["lower"] < 0.2
    assert speedup["inflation"] == pytest.approx(1.5)
    assert speedup["breakEvenAcceptance"] == pytest.approx(0.5 / 4)
    assert document["server"]["acceptance"] == pytest.approx(1.5 / 4)
    assert document["control"]["acceptance"] is None


def test_the_table_says_what_is_absent(engines: tuple[Engine, Engine]) -> None:
    on, off = engines
    shown = run(on.address, "--against", off.address, "--for", "1s").stdout
    assert "speed-up S = 1.667, between" in shown
    assert "break-even is at acceptance 0.125; measured 0.375" in shown
    assert "absent: control: acceptance" in shown


def test_a_restart_while_measuring_is_an_error(engines: tuple[Engine, Engine]) -> None:
    on, _ = engines
    on.restart_at = 5
    assert "restarted in between" in run(on.address, "--for", "1s", expect=1).stderr


FIELD = DATA / "field"


def field(name: str, *arguments: str | Path) -> dict[str, Any]:
    pages = ("--before", FIELD / f"{name}0.prom", "--after", FIELD / f"{name}1.prom")
    document: dict[str, Any] = json.loads(run(*pages, *arguments, "-o", "json").stdout)
    return document


def test_a_v0_engine_is_compared_by_the_tokens_of_its_requests() -> None:
    control = ("--against-before", FIELD / "v0p0.prom", "--against-after", FIELD / "v0p1.prom")
    found = field("v0s", *control)
    assert found["speedup"]["value"] == pytest.approx(1.5, abs=0.001)
    assert found["server"]["generationTokens"] == 10_000


def test_a_page_on_which_ray_wrote_every_counter_twice_gives_the_figures_of_one() -> None:
    server = field("raydbl")["server"]
    assert server["generationTokens"] == 10_000
    assert (server["tokensPerStep"], server["tpotMs"]) == (pytest.approx(2.0), pytest.approx(10.0))


def test_each_model_of_a_page_can_be_measured() -> None:
    by_model = {model: field("ray2m", "--model", model)["server"]["tpotMs"] for model in ("m1", "m2")}
    assert by_model == {"m1": pytest.approx(10.0), "m2": pytest.approx(15.0)}


def test_a_figure_to_which_one_rank_adds_nothing_is_absent_with_a_remark() -> None:
    found = field("rank")
    assert (found["server"]["tpotMs"], found["server"]["tokensPerStep"]) == (None, pytest.approx(2.0))
    assert found["remarks"] == ["rank 1 has no inter_token_latency_seconds_sum: it is left out for all ranks"]


def test_a_label_is_written_as_key_and_value() -> None:
    pages = ("--before", FIELD / "a0.prom", "--after", FIELD / "a1.prom")
    assert "KEY=VALUE" in run(*pages, "--label", "pod", expect=2).stderr


def test_a_control_that_speculates_gives_no_speedup() -> None:
    pages = ("--before", FIELD / "a0.prom", "--after", FIELD / "a1.prom")
    control = ("--against-before", FIELD / "a0.prom", "--against-after", FIELD / "a1.prom")
    assert "the control speculates" in run(*pages, *control, expect=1).stderr


SPEEDS = """
apiVersion: breakeven.dev/v1alpha1
kind: SpeculativeDeployment
status:
  memory:
    nodes:
    - {node: gpu-1, factor: "0.9", error: "0.01", measuredAt: "2026-11-26T12:00:00Z"}
    - {node: gpu-2, factor: "1.08", error: "0.02", measuredAt: "2026-11-26T12:00:00Z"}
"""


def test_a_fast_node_is_taken_out_of_the_speed_up(tmp_path: Path) -> None:
    file = tmp_path / "spd.yaml"
    file.write_text(SPEEDS)
    pages = [
        *("--before", CPU / "ngram-fixed-before.prom", "--after", CPU / "ngram-fixed-t0.prom"),
        *("--against-before", CPU / "nospec-before.prom", "--against-after", CPU / "nospec-t0.prom"),
    ]
    nodes = ("--node-speeds", file, "--node", "gpu-1", "--against-node", "gpu-2")
    raw_s = json.loads(run(*pages, "-o", "json").stdout)
    corrected = json.loads(run(*pages, *nodes, "-o", "json").stdout)
    assert raw_s["speedup"]["nodes"] is None
    assert corrected["speedup"]["value"] == pytest.approx(raw_s["speedup"]["value"] * 0.9 / 1.08)
    assert corrected["speedup"]["inflation"] == pytest.approx(raw_s["speedup"]["inflation"] * 1.08 / 0.9)
    assert corrected["speedup"]["nodes"] == pytest.approx({"correction": 0.9 / 1.08, "error": 0.0005**0.5})
    assert corrected["control"] == raw_s["control"]
    assert "corrected by 0.833 ± 0.022 for the two nodes" in run(*pages, *nodes).stdout


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (SPEEDS, ("--node", "gpu-1"), "come together"),
        (SPEEDS, ("--node", "gpu-1", "--against-node", "gpu-7"), "has no gpu-7; it has gpu-1, gpu-2"),
        ("kind: Pod", ("--node", "a", "--against-node", "b"), "no status.memory"),
        ("{", ("--node", "a", "--against-node", "b"), "what kubectl get spd"),
        (SPEEDS.replace('"0.9"', '"0"'), ("--node", "a", "--against-node", "b"), "what kubectl get spd"),
    ],
)
def test_speeds_of_nodes_that_are_not_there_are_named(
    tmp_path: Path, text: str, arguments: tuple[str, ...], message: str
) -> None:
    file = tmp_path / "spd.yaml"
    file.write_text(text)
    page = CPU / "nospec-before.prom"
    result = run("--before", page, "--after", page, "--node-speeds", file, *arguments, expect=2)
    assert message in " ".join(result.stderr.replace("│", " ").split())
