"""What the engine's image has beside vLLM: other programs in it find `vllm` on their PATH, and it is simulated."""

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from breakeven.lab.engine.knobs import PREFIX

ADDRESS_VARIABLE = "BREAKEVEN_ADDRESS"
"""All pods share this machine's loopback device: where a pod would use 127.0.0.1, this says its own address."""


def become(command: Sequence[str], *, address: str, options: Sequence[str]) -> NoReturn:
    """Run another program than vLLM. `options` of the simulated engine hold for each `vllm` that it starts."""
    environment = image_environment(os.environ, address=address, options=options)
    program = sys.executable if command[0] in ("python", "python3") else command[0]
    os.execvpe(program, [program, *command[1:]], environment)


def image_environment(environment: Mapping[str, str], *, address: str, options: Sequence[str]) -> dict[str, str]:
    """Variables of the image, in a new folder with `vllm` in it and a GPU that all of the pod's engines share."""
    folder = Path(tempfile.mkdtemp(prefix="breakeven-image-", dir=environment.get("TMPDIR")))
    vllm = folder / "vllm"
    engine = shlex.join([sys.executable, "-m", "breakeven.lab.engine", *options, "--", "vllm"])
    vllm.write_text(f'#!/bin/sh\nexec {engine} "$@"\n')
    vllm.chmod(0o755)
    return {
        PREFIX + "GPU": str(folder / "gpu"),
        **environment,
        ADDRESS_VARIABLE: address,
        "PATH": f"{folder}:{environment.get('PATH', os.defpath)}",
    }
