"""Memory of one variant on a GPU model: what target and draft need, and whether a replica starts."""

from dataclasses import dataclass

from breakeven.api.spec import DraftMethod, Quantization
from breakeven.planning.architecture import Architecture
from breakeven.planning.brief import Brief
from breakeven.planning.gpus import Gpu
from breakeven.planning.heads import HEAD_METHODS, head_params
from breakeven.planning.memory import Capacity, ModelMemory, cache_of, capacity, overhead_gib, runner_v1_gib, spare_gib
from breakeven.planning.placement import Start
from breakeven.planning.weights import linear_bytes, weight_bytes

_V0_DRAFT_GIB = 0.5
"""Activations of a V0 draft worker, which its memory profile leaves out: a planning value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one GPU model leaves for the KV cache."""

    baseline: Capacity | None
    variant: Capacity | None
    starts: Start
    over: float | None = None
    """GiB that a V0 draft needs beyond what the engine leaves free; None where the draft is counted in or fits."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """The memory side of a plan."""

    brief: Brief

    def weights(self, model: Architecture, quantization: Quantization) -> float | None:
        """Bytes of a model's weights; None when not known, which is then said."""
        found = weight_bytes(model, quantization)
        if found is None:
            self.brief.unknowns.append(f"weights of {model.name} ({model.origin})")
        return found

    def target(self) -> ModelMemory | None:
        """What the target needs; None when not known."""
        brief = self.brief
        weights = self.weights(brief.target, brief.variant.target.quantization)
        if weights is None:
            return None
        element = brief.element
        if element is None:
            return None
        found = cache_of(brief.target, weights, bytes_per_element=element)
        if found is None:
            brief.unknowns.append(f"KV cache layout of {brief.target.name} ({brief.target.origin})")
        return found

    def draft(self) -> ModelMemory | None:
        """What drafting needs; None without a draft, for methods that hold none, and when unknown (then said)."""
        brief, spec = self.brief, self.brief.spec
        if spec is None or brief.hostless:
            return None
        if brief.draft is not None:
            weights, element = self.weights(brief.draft, spec.quantization), brief.draft_element
            if weights is None or element is None:
                return None
            return cache_of(brief.draft, weights, bytes_per_element=element)
        if spec.method in HEAD_METHODS:
            params = head_params(brief.target, spec.method, name=spec.model)
            if params is not None:
                return self._one_layer(params * 2.0 + self._own_vocabulary())
        target = brief.target
        if spec.method is DraftMethod.MTP and target.native_mtp_layers:
            each = linear_bytes(target, brief.variant.target.quantization)
            if target.params is not None and target.layers is not None and each is not None:
                return self._one_layer(target.params / target.layers * each + self._own_vocabulary())
        brief.unknowns.append(f"memory of the {spec.method.value} draft")
        return None

    def _own_vocabulary(self) -> float:
        """Bytes of embeddings and output head: a V0 draft worker has its own, V1 shares those of the target."""
        return 2.0 * (self.brief.target.embedding_params or 0.0) if self.brief.on_v0 else 0.0

    def _one_layer(self, weights: float) -> ModelMemory | None:
        """A head: one layer that caches as a layer of the target does."""
        element = self.brief.draft_element
        whole = None if element is None else cache_of(self.brief.target, weights, bytes_per_element=element)
        if whole is None:
            return None
        return ModelMemory(
            weight_bytes=weights,
            cache_layers=1,
            full_layers=1,
            window=None,
            heads=whole.heads,
            width=whole.width,
            replicated=whole.replicated,
        )

    def room(self, gpu: Gpu) -> Room:
        """What a GPU model leaves, with and without the draft."""
        brief, target = self.brief, self.target()
        if gpu.memory_gib is None:
            brief.unknowns.append(gpu.missing[0])
            return Room(baseline=None, variant=None, starts=Start.UNKNOWN)
        baseline = None if target is None else self._capacity(gpu, gpu.memory_gib, target, None, on=False)
        if brief.spec is None:
            return Room(baseline=baseline, variant=baseline, starts=self._starts(baseline))
        draft = self.draft()
        if target is None or (draft is None and not brief.hostless):
            return Room(baseline=baseline, variant=None, starts=Start.UNKNOWN)
        variant = self._capacity(gpu, gpu.memory_gib, target, draft, on=True)
        starts = self._starts(variant)
        if draft is None or not brief.on_v0:
            return Room(baseline=baseline, variant=variant, starts=starts)
        spare = spare_gib(gpu.memory_gib, brief.utilization) - draft.weight_bytes / 2**30 / self._spread()
        if spare >= _V0_DRAFT_GIB or starts is Start.NO:
            return Room(baseline=baseline, variant=variant, starts=starts)
        # V0 sizes the cache as if there were no draft, which then has to live in what the utilisation leaves.
        over = Start.NO if spare < 0 else Start.TIGHT
        return Room(baseline=baseline, variant=variant, starts=over, over=_V0_DRAFT_GIB - spare)

    def _spread(self) -> int:
        """GPUs that the draft is split over."""
        brief = self.brief
        if brief.spec is None:
            return brief.gpus
        size = brief.engine.draft_tensor_parallel_size(brief.spec.method, brief.gpus, forced=brief.forced)
        return min(size, brief.gpus) if size is not None else brief.gpus

    def _capacity(
        self, gpu: Gpu, memory_gib: float, target: ModelMemory, draft: ModelMemory | None, *, on: bool
    ) -> Capacity:
        brief, spec = self.brief, self.brief.spec
        overhead = overhead_gib(brief.target.hidden, gpus=brief.gpus * brief.stages, speculates=on)
        if on and spec is not None and not brief.on_v0 and not brief.engine.runs_on_v2(spec.method):
            overhead += runner_v1_gib(
                brief.target.vocab_size,
                sequences=brief.sequences(gpu),
                positions=spec.num_speculative_tokens + 1,
                draft_model=spec.method is DraftMethod.DRAFT_MODEL,
            )
        return capacity(
            gpu.name,
            memory_gib,
            target,
            draft=draft,
            gpus=brief.gpus,
            draft_gpus=None if draft is None else self._spread(),
            utilization=brief.utilization,
            overhead=overhead,
            sequence=brief.sequence,
            stages=brief.stages,
            engines=brief.engines,
            profiled=not (on and brief.on_v0),
        )

    def _starts(self, found: Capacity | None) -> Start:
        if found is None:
            return Start.UNKNOWN
        known = self.brief.variant.target.max_model_len or self.brief.target.max_position
        needed = self.brief.sequence if known else 1
        if found.kv_tokens_at_best < needed * found.engines:
            return Start.NO
        return Start.YES if found.kv_tokens >= needed * found.engines else Start.TIGHT
