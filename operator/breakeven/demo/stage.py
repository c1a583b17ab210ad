"""What differs between the two demos: the engine, the resource, the traffic and how patient one has to be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from breakeven.lab.settings import H200, ImageCommand, LabSettings, NodeSettings

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One setting of the story."""

    title: str
    provenance: str
    """Said wherever its numbers show."""
    resource: dict[str, Any]
    lab: LabSettings
    predictable: str
    """Load profile in which the draft agrees with the target."""
    creative: str
    """Load profile in which it does not."""
    ready_s: float
    """How long a replica may take to serve."""
    verdict_s: float
    """How long a verdict and the moves after it may take."""
    comes_back: bool
    """Whether the story goes on until speculation is on again."""


def simulated_stage() -> Stage:
    """The simulated engine: step times measured on an H200, acceptance assumed from a curve; see docs."""
    return Stage(
        title="Breakeven on the embedded lab (simulated engine)",
        provenance="simulated engine: step times from a table measured on one H200, acceptance from a curve",
        resource=yaml.safe_load((HERE / "simulated.yaml").read_text()),
        lab=LabSettings(name="demo", nodes=(NodeSettings(name="h200", product=H200, gpus=3),)),
        predictable="greedy",
        creative="sampled",
        ready_s=60,
        verdict_s=150,
        comes_back=True,
    )


def real_stage(engine_folder: Path) -> Stage:
    """A real `vllm serve` on CPU, one core each, with models made on the spot."""
    from breakeven.lab.realengine.install import VLLM_VERSION, engine_command, model_path

    resource = yaml.safe_load((HERE / "vllm.yaml").read_text())
    resource["spec"]["target"]["model"] = str(model_path(engine_folder, "target"))
    resource["spec"]["draft"]["model"] = str(model_path(engine_folder, "draft"))
    serve = ImageCommand(
        pattern=r"(?:.*/)?vllm-cpu(?::.*)?",
        # The rendered command starts with `vllm`, found on PATH; the last --host wins. The rendered variables name
        # folders of a container, so `env` points them at the cache.
        command=(
            "/usr/bin/env",
            f"HOME={engine_folder}/home",
            f"HF_HOME={engine_folder}/home/huggingface",
            f"VLLM_CACHE_ROOT={engine_folder}/home/vllm",
            "{args}",
            "--host",
            "{ip}",
        ),
        env={
            "PATH": f"{engine_command(engine_folder).parent}:/usr/local/bin:/usr/bin:/bin",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "auto",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
        },
        cores=1,
    )
    return Stage(
        title=f"Breakeven on the embedded lab (real vLLM {VLLM_VERSION}, CPU build)",
        provenance=f"real vLLM {VLLM_VERSION} on CPU, one core a server, random weights made on the spot",
        resource=resource,
        lab=LabSettings(name="demo-vllm", nodes=(NodeSettings(name="h200", product=H200, gpus=2),), images=(serve,)),
        predictable=str(HERE / "vllm-greedy.yaml"),
        creative=str(HERE / "vllm-sampled.yaml"),
        ready_s=240,
        verdict_s=600,
        comes_back=False,
    )
