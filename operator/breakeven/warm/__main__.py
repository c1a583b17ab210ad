"""`python3 -m warm --slots FILE --proxy SOCKET`: the supervisor."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .engine import Engine
from .pair import NothingServes, Pair, say
from .proxy import SLOTS, Proxy
from .replica import Replica
from .server import Port
from .slot import Slot
from .wanted import EngineSpec, Unreadable

REAP_S = 1.0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="warm",
        description="Runs two vLLM engines, one awake, one asleep, behind an HAProxy that it tells where requests go. "
        "GET /state says what is awake, POST /awake switches. Needs vLLM with sleep mode; no Kubernetes.",
        epilog='POST /awake {"id": "1", "variant": "…"} with the token whose SHA-256 slots.json holds.',
    )
    add = parser.add_argument
    add("--slots", type=Path, required=True, help="slots.json: what the engines are; followed while it runs")
    add("--proxy", type=Path, required=True, help="HAProxy's socket (stats socket … level admin)")
    add("--listen", default=os.environ.get("BREAKEVEN_ADDRESS", ""), help="address of its own port; default all")
    add("--port", type=int, default=8001, help="its own port, default 8001")
    add(
        "--engine-host",
        default=os.environ.get("BREAKEVEN_ADDRESS") or "127.0.0.1",
        help="address of the engines, as the proxy's configuration has it; default 127.0.0.1",
    )
    add("--engine-port", type=int, default=8101, help="port of slot a, default 8101; slot b has the next one")
    add("--grace", type=float, default=20.0, help="seconds that requests may take after SIGTERM, default 20")
    add("--leave", type=float, default=20.0, help="seconds from not ready to the end of traffic, default 20")
    return parser.parse_args()


def main() -> int:
    """Run until SIGTERM (0), or until nothing can serve (1)."""
    options = _options()
    ending, asked = threading.Event(), []

    def end(number: int, _frame: object) -> None:
        asked.append(number)
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)

    # An engine dies with the thread that started it (prctl(2), PR_SET_PDEATHSIG), so this one never ends by itself.
    starter = ThreadPoolExecutor(1, "starter")

    def start(spec: EngineSpec, slot: Slot) -> Engine:
        new = partial(Engine, spec, host=options.engine_host, port=slot.port, ended=lambda: replica.look())
        return starter.submit(new).result()

    slots = [Slot(name, options.engine_port + place) for place, name in enumerate(SLOTS)]
    try:
        replica = Replica(options.slots, Pair(slots, Proxy(options.proxy), start), leave_s=options.leave)
    except Unreadable as error:
        say(str(error))
        return 1

    def work() -> None:
        try:
            replica.run()
        except NothingServes as error:
            say(f"nothing serves: {error}")
        finally:
            ending.set()

    port = Port((options.listen, options.port), replica)
    threading.Thread(target=port.serve_forever, name="port", daemon=True).start()
    threading.Thread(target=work, name="replica", daemon=True).start()
    while not ending.wait(REAP_S):
        _reap({slot.engine.pid for slot in slots if slot.engine is not None})
    replica.stop(options.grace)
    return 0 if asked else 1


def _reap(ours: set[int]) -> None:
    """Collect what engines left behind: in a container this is process 1. The engines are waited for elsewhere."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in ours:
            return
        os.waitpid(found.si_pid, 0)


if __name__ == "__main__":
    sys.exit(main())
