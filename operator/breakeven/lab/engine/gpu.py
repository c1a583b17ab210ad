"""The memory of one GPU that several simulated engines share: a file for each process that says how much it holds."""

import os
from pathlib import Path

from breakeven.lab.engine.refused import Refused, engine_core_failed

LEFT_BEHIND = 0.015
"""Share that a sleeping engine keeps: 982 to 1,236 MiB of 80 GiB were measured (vLLM 0.26.0, H100)."""
GIB = 80
"""Of the GPU, for messages."""


class OutOfMemory(Exception):
    """There is less free than is needed; the engine dies of it."""


class Gpu:
    """What one engine holds of a GPU. Without a folder it has one to itself."""

    def __init__(self, folder: str, share: float) -> None:
        self._file = Path(folder) / f"{os.getpid()}.share" if folder else None
        self._share = share

    def start(self) -> None:
        """Take the whole share. Raises Refused as vLLM does when less is free (0.26.0 v1/worker/utils.py:425)."""
        free = 1 - self._others()
        if free < self._share:
            raise self._refused(free)
        self._hold(self._share)

    def sleep(self) -> None:
        """Give most of it back."""
        self._hold(LEFT_BEHIND)

    def wake(self) -> None:
        """Take it again. Raises OutOfMemory."""
        if 1 - self._others() < self._share:
            raise OutOfMemory("CUDA Error: out of memory at cumem_allocator")
        self._hold(self._share)

    def used(self) -> float:
        """GiB in use, by all."""
        return GIB * (self._others() + (float(self._file.read_text()) if self._file else LEFT_BEHIND))

    def _hold(self, share: float) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._file.with_suffix(".new")
            fresh.write_text(str(share))
            fresh.replace(self._file)

    def _others(self) -> float:
        """What living processes hold."""
        held = 0.0
        for file in self._file.parent.glob("*.share") if self._file else ():
            if file == self._file:
                continue
            if Path("/proc", file.stem).exists():
                held += float(file.read_text())
        return held

    def _refused(self, free: float) -> Refused:
        wanted = self._share
        return engine_core_failed(
            f"ValueError: Free memory on device cuda:0 ({GIB * free:.2f}/{GIB} GiB) on startup is less than desired "
            f"GPU memory utilization ({wanted:g}, {GIB * wanted:.2f} GiB). Decrease GPU memory utilization or reduce "
            "GPU memory used by other processes."
        )
