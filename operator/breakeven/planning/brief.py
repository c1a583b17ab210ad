"""What is planned: a variant, what is asked of it, and the facts that both sides of a plan rest on."""

from dataclasses import dataclass, field
from functools import cached_property

from breakeven.api.choices import WITHOUT_MODEL
from breakeven.api.spec import DraftMethod, DraftSpec
from breakeven.api.variant import Variant
from breakeven.engines import Engine, kv_bytes
from breakeven.planning import flags
from breakeven.planning.architecture import Architecture
from breakeven.planning.facts import facts_for
from breakeven.planning.gpus import Gpu, accelerators, mig_of
from breakeven.planning.question import Question

_LARGE_GPU_GIB = 70.0
"""Memory from which the API server of V1 runs 1024 requests at once by default, and 256 below; the A100 counts as
small (vLLM, EngineArgs.get_batch_defaults)."""


@dataclass(frozen=True, kw_only=True)
class Brief:
    """A variant and the facts about it. What is missing is added to `unknowns` by whoever needed it."""

    variant: Variant
    question: Question
    engine: Engine
    unknowns: list[str] = field(default_factory=list)

    @property
    def spec(self) -> DraftSpec | None:
        """How tokens are drafted."""
        return self.variant.draft

    @property
    def gpus(self) -> int:
        """GPUs over which one copy of the target is split."""
        return self.variant.hardware.tensor_parallel

    @property
    def stages(self) -> int:
        """Stages of pipeline parallelism."""
        return flags.number(self.variant.engine.extra_args, "--pipeline-parallel-size") or 1

    @property
    def engines(self) -> int:
        """Data-parallel copies of the target in one replica; running requests spread over them."""
        return flags.number(self.variant.engine.extra_args, "--data-parallel-size") or 1

    @cached_property
    def accelerators(self) -> tuple[Gpu, ...]:
        """GPU models a replica may land on."""
        return accelerators(self.variant.hardware, mig=mig_of(self.variant.pod_template))

    @property
    def forced(self) -> str:
        """Value of VLLM_USE_V1."""
        return next((str(e.get("value", "")) for e in self.variant.engine.env if e.get("name") == "VLLM_USE_V1"), "")

    @property
    def on_v0(self) -> bool:
        """Whether the V0 engine runs it."""
        method = None if self.spec is None else self.spec.method
        return self.engine.generation(method, forced=self.forced) == "v0"

    @property
    def element(self) -> float | None:
        """Bytes of one element of the target's KV cache; None for a format whose width is not known, which is then
        said."""
        return self._element(self.variant.target.kv_cache_dtype.value)

    @property
    def draft_element(self) -> float | None:
        """The same of the draft's cache, which may have a format of its own."""
        own = None if self.spec is None else self.spec.extra_keys.get("kv_cache_dtype")
        return self.element if own is None else self._element(str(own))

    def _element(self, kind: str) -> float | None:
        found = kv_bytes(kind)
        if found is None:
            self.unknowns.append(f"size of a KV cache of {kind}: tokens that fit, and steps at a long context")
        return found

    @cached_property
    def target(self) -> Architecture:
        """Facts of the target."""
        declared = self.variant.target
        return facts_for(declared.model, declared=declared.facts, config=self.question.target_config)

    @cached_property
    def draft(self) -> Architecture | None:
        """Facts of a draft model; None for every other method."""
        spec = self.spec
        if spec is None or spec.method is not DraftMethod.DRAFT_MODEL or spec.model is None:
            return None
        return facts_for(spec.model, declared=spec.facts, config=self.question.draft_config)

    @property
    def hostless(self) -> bool:
        """Whether nothing is loaded to draft with."""
        return self.spec is None or self.spec.method in WITHOUT_MODEL

    @property
    def sequence(self) -> int:
        """Length of the sequences that capacity is counted for."""
        return self.variant.target.max_model_len or self.target.max_position or 4096

    @property
    def context(self) -> float:
        """Mean context of a running request: as asked, and no longer than what is served."""
        return float(min(self.question.context, self.sequence))

    @property
    def utilization(self) -> float:
        """Share of GPU memory: as declared, else the default of the engine version."""
        stated = self.variant.target.gpu_memory_utilization
        return float(self.engine.gpu_memory_utilization if stated is None else stated)

    def sequences(self, gpu: Gpu) -> int:
        """Requests that one engine runs at once at most."""
        stated = flags.number(self.variant.engine.extra_args, "--max-num-seqs")
        if stated is not None:
            return stated
        large = gpu.memory_gib is not None and gpu.memory_gib >= _LARGE_GPU_GIB and not gpu.name.startswith("A100")
        return 1024 if large and not self.on_v0 else 256
