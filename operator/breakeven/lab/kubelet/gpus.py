"""Real GPUs of this machine for the pods of one fake node, as NVIDIA's device plugin hands them out.

The plugin names the GPUs of a container in its environment and the container runtime shows it no others; a lab has no
container runtime, so CUDA itself is told: https://docs.nvidia.com/cuda/cuda-c-programming-guide/#cuda-environment-variables
"""

from collections.abc import Mapping, Sequence

from breakeven.lab.controlplane.client import Manifest
from breakeven.lab.kubelet.nodes import GPU


class Gpus:
    """Hands out each GPU of a node to one pod at a time. A node without real GPUs hands out none, and says nothing."""

    def __init__(self, devices: Mapping[str, Sequence[str]]) -> None:
        """`devices`: what `CUDA_VISIBLE_DEVICES` calls the GPUs, by node."""
        self._free = {node: list(names) for node, names in devices.items() if names}

    def has(self, node: str) -> bool:
        """Whether pods of this node get real GPUs."""
        return node in self._free

    def take(self, node: str, count: int) -> list[str] | None:
        """As many free GPUs as asked for; None while there are fewer."""
        free = self._free[node]
        if len(free) < count:
            return None
        taken, self._free[node] = free[:count], free[count:]
        return taken

    def give_back(self, node: str, taken: Sequence[str]) -> None:
        """Nobody uses them any more."""
        if taken:
            self._free[node] = sorted([*self._free[node], *taken])


def wanted(container: Manifest) -> int:
    """How many GPUs a container asks for."""
    return int((container.get("resources") or {}).get("limits", {}).get(GPU, 0))


def variables(taken: Sequence[str]) -> dict[str, str]:
    """What tells a container's programs which GPUs are theirs; with none it sees none."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(taken), "NVIDIA_VISIBLE_DEVICES": ",".join(taken) or "void"}
