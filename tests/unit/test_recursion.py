"""How deep the process may recurse: deep enough for what the API server takes, and never as deep as the stack ends."""

import subprocess
import sys

import pytest

PROGRAM = """
import copy, json, resource, sys, threading
from breakeven.app import recursion_limit

resource.setrlimit(resource.RLIMIT_STACK, (int(sys.argv[1]) << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
sys.setrecursionlimit(recursion_limit())
deepest = int(sys.argv[2])
copy.deepcopy(json.loads('{"a":' * deepest + "1" + "}" * deepest))


def endless():
    for opening in ("[", '{"a":'):
        try:
            json.loads(opening * 1_000_000)
        except RecursionError:
            print("refused")


endless()
thread = threading.Thread(target=endless)
thread.start()
thread.join()
"""


@pytest.mark.parametrize(("stack_mib", "deepest"), [(8, 9_990), (2, 2_000)])
def test_what_the_api_server_takes_is_read_and_what_is_endless_is_no_crash(stack_mib: int, deepest: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(stack_mib), str(deepest)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split() == ["refused"] * 4
