"""What differs between the demos: the engine, the resource, the traffic and how patient one has to be."""

import os
import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from breakeven.lab.engine.knobs import PREFIX
from breakeven.lab.realengine.cuda import Card, CudaEngine
from breakeven.lab.settings import H200, ImageCommand, LabSettings, NodeSettings

HERE = Path(__file__).parent
CALM = str(HERE / "calm.yaml")
"""Load profile of one request a second."""


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
    quiet_s: float = 20
    """How long the traffic stays as it is after the promotion."""
    unverified: dict[str, Any] | None = None
    """A resource whose engine accepts drafts without verifying them. None: this engine cannot be told to."""
    reloads: dict[str, Any] | None = None
    """Where replicas are warm: the resource that is switched by loading again, beside them."""


def simulated_stage() -> Stage:
    """The simulated engine: step times measured on an H200, acceptance assumed from a curve; see docs."""
    resource = yaml.safe_load((HERE / "simulated.yaml").read_text())
    return Stage(
        title="Breakeven on the embedded lab (simulated engine)",
        provenance="simulated engine: step times from a table measured on one H200, acceptance from a curve",
        resource=resource,
        lab=LabSettings(name="demo", nodes=(NodeSettings(name="h200", product=H200, gpus=5),)),
        predictable="greedy",
        creative="sampled",
        ready_s=60,
        verdict_s=150,
        comes_back=True,
        unverified=_unverified(resource),
    )


def warm_stage() -> Stage:
    """One replica of the simulated engine that holds both variants, one awake, and one that has to load them."""
    resource = yaml.safe_load((HERE / "simulated.yaml").read_text())
    resource["spec"] |= {"replicas": 1}
    # Quicker than what was measured on an H100: a comparison takes turns that last twenty switches, and ten of them.
    paces = {"FIRST_SLEEP": "1", "SLEEP": "0.05", "WAKE": "0.05"}
    resource["spec"]["engine"]["env"] = [{"name": f"{PREFIX}{name}", "value": s} for name, s in paces.items()]
    resource["spec"]["evidence"] |= {"window": "20s", "trialTimeout": "5m"}
    resource["spec"]["policy"] |= {"holdback": {"mode": "Auto"}}
    reloads = deepcopy(resource)
    reloads["metadata"]["name"] += "-reloads"
    reloads["spec"]["policy"] |= {"mode": "AlwaysOff", "switching": {"allowDowntime": True}}
    resource["spec"]["policy"] |= {"switching": {"mode": "Warm", "drainTimeout": "20s"}}
    return Stage(
        title="Breakeven on the embedded lab (simulated engine, warm replicas)",
        provenance="simulated engine: loads in 2 s, falls asleep and wakes in 0.05 s: set, not measured here",
        resource=resource,
        lab=LabSettings(
            name="demo-warm", nodes=(NodeSettings(name="h200", product=H200, gpus=3),), scrape_interval_seconds=0.5
        ),
        predictable=str(HERE / "warm-greedy.yaml"),
        creative=str(HERE / "warm-sampled.yaml"),
        ready_s=60,
        verdict_s=300,
        comes_back=True,
        quiet_s=90,  # a sudden loss is seen against twenty turns before it
        reloads=reloads,
    )


def _unverified(resource: dict[str, Any]) -> dict[str, Any]:
    """The same with two replicas, and one token in five of what is drafted wrong and accepted all the same."""
    wrong = deepcopy(resource)
    wrong["metadata"]["name"] += "-unverified"
    wrong["spec"]["replicas"] = 2
    wrong["spec"]["engine"]["env"] = [{"name": f"{PREFIX}DRAFT_ANSWERS_WRONGLY", "value": "0.2"}]
    return wrong


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


def cuda_stage(engine: CudaEngine) -> Stage:
    """The user's own `vllm serve` on GPUs of this machine, with models made on the spot."""
    card = engine.cards[0]
    resource = yaml.safe_load((HERE / "cuda.yaml").read_text())
    resource["spec"]["engine"]["image"] = f"vllm/vllm-openai:v{engine.version.partition('+')[0]}"
    resource["spec"]["replicas"] = len(engine.cards)
    resource["spec"]["hardware"] |= _hardware(card)
    warm = len(engine.cards) == 1  # both variants on it, one awake
    if warm:
        resource["spec"]["policy"] |= {"switching": {"mode": "Warm"}, "holdback": {"mode": "Auto"}}
    serve = ImageCommand(
        pattern=r"(?:.*/)?vllm-openai(?::.*)?",
        # As in `real_stage`: the last --host wins, and rendered folders are pointed at the cache. The compile cache in
        # it outlives the pods, so that only the first engine compiles. The supervisor of a warm pod starts the engines
        # itself and has the pod's address from a variable.
        command=(
            "/usr/bin/env",
            f"HOME={engine.home}",
            f"HF_HOME={engine.home}/huggingface",
            f"VLLM_CACHE_ROOT={engine.home}/vllm",
            "{args}",
            *(() if warm else ("--host", "{ip}")),
        ),
        env={
            **({"BREAKEVEN_ADDRESS": "{ip}"} if warm else {}),
            "PATH": f"{engine.vllm.parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
        },
    )
    node = NodeSettings(
        name="gpu",
        product=card.product,
        gpus=len(engine.cards),
        devices=tuple(c.device for c in engine.cards),
        labels={"nvidia.com/gpu.memory": str(card.memory_mib)},
    )
    said = f"real vLLM {engine.version} on {len(engine.cards)} × {card.name}"
    return Stage(
        title=f"Breakeven on the embedded lab ({said})",
        provenance=f"{said}, random weights made on the spot",
        resource=resource,
        lab=LabSettings(name="demo-cuda", nodes=(node,), images=(serve,)),
        predictable=str(HERE / "cuda-greedy.yaml"),
        creative=str(HERE / "cuda-sampled.yaml"),
        ready_s=240,
        verdict_s=300,
        comes_back=True,
    )


def _hardware(card: Card) -> dict[str, Any]:
    """The GPU by the name that planning knows, else by its node label and memory."""
    known = re.search(r"\b(H100|H200)\b", card.name)
    if known:
        return {"accelerators": [known.group(1)]}
    name = re.sub(r"[^A-Za-z0-9._-]", "-", card.name.removeprefix("NVIDIA "))[:32]
    facts = {"name": name, "memoryGiB": f"{card.memory_mib / 1024:.1f}", "products": [card.product]}
    return {"accelerators": [name], "gpuFacts": [facts]}
