"""What a lab is made of. Plain data: it travels as JSON from the command that starts a lab to the one that runs it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LabName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]

H100 = "NVIDIA-H100-80GB-HBM3"
H200 = "NVIDIA-H200"
MEMORY_MIB = {H100: 81559, H200: 143771}
"""What NVIDIA's GPU feature discovery reports in `nvidia.com/gpu.memory`."""


class Settings(BaseModel):
    """Frozen, and strict about unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class NodeSettings(Settings):
    """One fake node, or `count` of them."""

    name: str
    """With count > 1 the nodes are `<name>-0`, `<name>-1` …"""
    product: str = H100
    """Value of the label `nvidia.com/gpu.product`."""
    gpus: int = Field(default=8, ge=0)
    count: int = Field(default=1, ge=1)
    hollow: bool = False
    """Pods on it are marked Ready without a process; their series come from one exporter."""
    pods: int = Field(default=110, ge=1)
    """Capacity for pods."""
    cpu: int = Field(default=192, ge=1)
    memory: str = "2Ti"
    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels; they win over the usual ones."""
    tainted: bool = True
    """Whether it carries the taint `nvidia.com/gpu=present:NoSchedule`."""
    devices: tuple[str, ...] = ()
    """Real GPUs of this machine that its pods get, as `CUDA_VISIBLE_DEVICES` names them. Empty: there are none."""


class ImageCommand(Settings):
    """How the pods of an image run here. The first pattern that matches the whole image reference wins.

    Placeholders in `command` and `env` values: {python} this interpreter, {ip} the pod's address, {image}, {tag} (the
    part after the last colon, else "latest"), {pod}, {namespace}, {uid}, {kubeconfig} (one with the rights of the pod's
    service account, written when used). The item "{args}" alone stands for the container's command and args.
    """

    pattern: str
    """Regular expression over the whole image reference."""
    command: tuple[str, ...]
    env: dict[str, str] = Field(default_factory=dict)
    """Joined under the pod's own variables."""
    cores: int | None = Field(default=None, ge=1)
    """CPU cores a pod of this image is bound to, the least used ones first. None: all."""


SIMULATED_ENGINE = ImageCommand(
    pattern=r"(?:.*/)?vllm-openai(?::.*)?",
    command=(
        "{python}",
        "-m",
        "breakeven.lab.engine",
        "--pod-address",
        "{ip}",
        "--image-version",
        "{tag}",
        "--",
        "{args}",
    ),
)
"""`vllm/vllm-openai:*` is the simulated engine unless another entry comes first."""


PROXY = ImageCommand(
    pattern=r"(?:.*/)?haproxy(?::.*)?",
    command=("{python}", "-m", "breakeven.lab.tools.debian", "{args}"),
    env={"BREAKEVEN_ADDRESS": "{ip}"},
)
"""`haproxy:*` is a real HAProxy, this machine's or Debian's."""


class HollowSettings(Settings):
    """What the exporter says about hollow pods. Simulated figures, for runs of scale only."""

    step_seconds: float = Field(default=0.012, gt=0)
    """Time per output token without speculation."""
    speedup: float = Field(default=1.6, gt=0)
    """S of pods whose arguments contain speculative-config."""
    acceptance: float = Field(default=0.7, ge=0, le=1)
    """Probability that a draft token is accepted, given that the one before was."""
    draft_tokens: int = Field(default=3, ge=1)
    """k."""
    running: float = Field(default=4.0, gt=0)
    """Requests in the batch at any time."""
    output_tokens: int = Field(default=200, ge=2)
    """Tokens per request."""
    prompt_tokens: int = Field(default=400, ge=1)
    noise: float = Field(default=0.02, ge=0)
    """Relative standard deviation of each pod's step time, constant over its life."""
    scrape_noise: float = Field(default=0.0, ge=0)
    """The same from one scrape to the next, as traffic makes it."""
    past_seconds: float = Field(default=0.0, ge=0)
    """Pods pretend to have been Ready for so long when they become so, and up to `PAST_SPREAD_SECONDS` longer. Their
    series begin to show when `replay` is set, at first the past, in one sample a minute."""
    replay: bool = False
    """Whether the past is shown."""


PAST_SPREAD_SECONDS = 600.0
"""So that pods that were made at the same time did not begin at the same time."""


class LabSettings(Settings):
    """A whole lab."""

    name: LabName = "breakeven"
    nodes: tuple[NodeSettings, ...] = (
        NodeSettings(name="h100", product=H100, gpus=8),
        NodeSettings(name="h200", product=H200, gpus=8),
    )
    images: tuple[ImageCommand, ...] = ()
    """Looked through before the default, which is the simulated engine."""
    scrape_interval_seconds: float = Field(default=1.0, gt=0)
    scrape_hollow_interval_seconds: float = Field(default=15.0, gt=0)
    retention: str = "24h"
    """Prometheus's own notation."""
    audit: bool = False
    """Whether the API server writes one line per request to logs/audit.log."""
    service_account_admission: bool = False
    """Whether the API server's ServiceAccount admission is on. The lab mounts no volumes, so pods do not need it."""
    backoff_seconds: float = Field(default=10.0, gt=0)
    """First restart back-off; doubles with each restart. The real kubelet's is 10 s."""
    backoff_limit_seconds: float = Field(default=300.0, gt=0)
    """Longest restart back-off."""
    volume_refresh_seconds: float = Field(default=2.0, gt=0)
    """Time between two looks at ConfigMaps that running pods mount. The real kubelet takes a minute or two."""
    hollow: HollowSettings = HollowSettings()

    def relative_to(self, folder: Path) -> Self:
        """The same, with programs of images that are named by a relative path found from a folder.

        A pod's process runs in a folder of its own, where `./run` would name nothing.
        """
        images = [image.model_copy(update={"command": _found_from(folder, image.command)}) for image in self.images]
        return self.model_copy(update={"images": tuple(images)})

    def image_commands(self) -> Sequence[ImageCommand]:
        """The entries in the order in which they are looked through."""
        return (*self.images, SIMULATED_ENGINE, PROXY)


def _found_from(folder: Path, command: tuple[str, ...]) -> tuple[str, ...]:
    program = command[0] if command else ""
    if "/" not in program or program.startswith(("/", "{")):
        return command
    return (str((folder / program).resolve()), *command[1:])


def parse_settings(raw: str | bytes | dict[str, Any]) -> LabSettings:
    """Settings from JSON text or a mapping. Raises pydantic.ValidationError with the field to change."""
    if isinstance(raw, dict):
        return LabSettings.model_validate(raw)
    return LabSettings.model_validate_json(raw)
