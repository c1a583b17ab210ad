"""The plan of one variant: does it start, what does the draft cost, and where is it likely to pay."""

from dataclasses import dataclass

from breakeven.api.choices import WITHOUT_MODEL
from breakeven.api.spec import DraftMethod, DraftSpec, Quantization
from breakeven.api.variant import Variant
from breakeven.engines import Engine, Refusal, kv_bytes, load
from breakeven.planning import advice, catalog
from breakeven.planning.acceptance import Assumption, assumed, at_temperature
from breakeven.planning.architecture import Architecture
from breakeven.planning.article import Rule, article_rules
from breakeven.planning.calibration import hosts_for, v0_hosts
from breakeven.planning.facts import facts_for
from breakeven.planning.heads import HEAD_METHODS, head_params
from breakeven.planning.loads import head_load, target_load
from breakeven.planning.measured import Profile, built_in
from breakeven.planning.memory import Capacity, ModelMemory, cache_of, capacity, lost_share, overhead_gib
from breakeven.planning.outlook import Outlook, Situation, anchored, outlook
from breakeven.planning.pairing import Remark, Severity, length_remarks, pair_remarks, related, split_remarks
from breakeven.planning.placement import Placement, Start, room_remarks
from breakeven.planning.question import Question
from breakeven.planning.steptime import Chip, Load
from breakeven.planning.switching import SwitchCost, switch_cost
from breakeven.planning.trained import head_remarks, prediction_remarks, target_remarks
from breakeven.planning.weights import linear_bytes, weight_bytes

_BLOCK_DRAFTERS = frozenset({DraftMethod.DFLASH, DraftMethod.DSPARK, DraftMethod.MEDUSA})
_TABLE_NAMES = {
    DraftMethod.DRAFT_MODEL: "draft_model",
    DraftMethod.EAGLE3: "eagle3",
    DraftMethod.NGRAM: "ngram",
    DraftMethod.NGRAM_GPU: "ngram_gpu",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What planning found for one variant."""

    variant: str
    engine: str
    """vLLM version the plan is for."""
    gpus: int
    replicas: int
    target: Architecture
    draft: Architecture | None
    method: DraftMethod | None
    k: int | None
    acceptance: Assumption | None
    """Conditional acceptance at the asked temperature."""
    temperature: float
    placements: tuple[Placement, ...]
    switch: SwitchCost | None
    remarks: tuple[Remark, ...]
    rules: tuple[Rule, ...]
    """The usual rules of thumb beside the better number."""
    unknowns: tuple[str, ...]
    """Facts that were missing, in words."""

    @property
    def starts(self) -> Start:
        """Whether memory lets it start: the worst over GPU models that a replica may land on."""
        every = {placement.starts for placement in self.placements}
        return next(s for s in (Start.NO, Start.UNKNOWN, Start.TIGHT, Start.YES) if s in every)

    @property
    def outcome(self) -> Start:
        """The same with everything that is refused for other reasons than memory: then it does not start."""
        return Start.NO if any(remark.severity is Severity.REFUSAL for remark in self.remarks) else self.starts


def plan(variant: Variant, question: Question | None = None) -> Plan:
    """Plan a variant. Never raises for what a resource can say; what is not known is named in `unknowns`."""
    asked = question or Question()
    found = load().engine_of(variant.engine)
    engine = load().newest if isinstance(found, Refusal) else found
    return _Planner(variant, asked, engine, assumed_engine=isinstance(found, Refusal)).plan()


class _Planner:
    """One plan in the making: everything it derives once."""

    def __init__(self, variant: Variant, question: Question, engine: Engine, *, assumed_engine: bool) -> None:
        self.variant, self.question, self.engine = variant, question, engine
        self.spec = variant.draft
        self.gpus = variant.hardware.gpus_per_replica
        self.forced = next((str(e.get("value", "")) for e in variant.engine.env if e.get("name") == "VLLM_USE_V1"), "")
        self.element = kv_bytes(variant.target.kv_cache_dtype) or 2.0
        self.target = facts_for(variant.target.model, declared=variant.target.facts, config=question.target_config)
        self.draft = self._draft_facts()
        self.unknowns: list[str] = []
        if kv_bytes(variant.target.kv_cache_dtype) is None:
            self.unknowns.append(
                f"size of a KV cache of {variant.target.kv_cache_dtype}: planned with 16 bits an element, so more fit"
            )
        if assumed_engine:
            self.unknowns.append(f"engine version: the image does not tell it, planned as for {engine.release}")

    def _draft_facts(self) -> Architecture | None:
        if self.spec is None or self.spec.method is not DraftMethod.DRAFT_MODEL or self.spec.model is None:
            return None
        return facts_for(self.spec.model, declared=self.spec.facts, config=self.question.draft_config)

    def plan(self) -> Plan:
        acceptance = self._acceptance()
        placements = tuple(self._placement(gpu.value, acceptance) for gpu in self.variant.hardware.accelerators)
        weights = self._weights(self.target, self.variant.target.quantization)
        drafted = self._draft_memory()
        total = None if weights is None else weights + (drafted.weight_bytes if drafted is not None else 0.0)
        remarks = (
            *self._remarks(),
            *room_remarks(placements, self.sequence(), drafts=self.spec is not None),
            *self._pay_remarks(placements),
        )
        return Plan(
            variant=self.variant.name,
            engine=str(self.engine.version),
            gpus=self.gpus,
            replicas=self.question.replicas,
            target=self.target,
            draft=self.draft,
            method=self.spec.method if self.spec is not None else None,
            k=self.spec.num_speculative_tokens if self.spec is not None else None,
            acceptance=acceptance,
            temperature=self.question.temperature,
            placements=placements,
            switch=switch_cost(total, replicas=self.question.replicas, measured_minutes=self.question.loading_minutes),
            remarks=remarks,
            rules=self._rules(placements),
            unknowns=tuple(dict.fromkeys(self.unknowns)),
        )

    # Memory

    def _weights(self, model: Architecture, quantization: Quantization) -> float | None:
        found = weight_bytes(model, quantization)
        if found is None:
            self.unknowns.append(f"weights of {model.name} ({model.origin})")
        return found

    def _target_memory(self) -> ModelMemory | None:
        weights = self._weights(self.target, self.variant.target.quantization)
        if weights is None:
            return None
        found = cache_of(self.target, weights, bytes_per_element=self.element)
        if found is None:
            self.unknowns.append(f"KV cache layout of {self.target.name} ({self.target.origin})")
        return found

    def _draft_memory(self) -> ModelMemory | None:
        """Memory of what drafts; None without a draft, for methods that hold none, and when unknown (then named)."""
        spec = self.spec
        if spec is None or self._hostless():
            return None
        if self.draft is not None:
            weights = self._weights(self.draft, spec.quantization)
            return None if weights is None else cache_of(self.draft, weights, bytes_per_element=self.element)
        if spec.method in HEAD_METHODS:
            params = head_params(self.target, spec.method, name=spec.model)
            if params is not None:
                return self._one_layer(params * 2.0)
        if spec.method is DraftMethod.MTP and self.target.native_mtp_layers:
            each = linear_bytes(self.target, self.variant.target.quantization)
            if self.target.params is not None and self.target.layers is not None and each is not None:
                return self._one_layer(self.target.params / self.target.layers * each)
        self.unknowns.append(f"memory of the {spec.method.value} draft")
        return None

    def _one_layer(self, weights: float) -> ModelMemory | None:
        """A head: one layer that caches as a layer of the target does."""
        whole = cache_of(self.target, weights, bytes_per_element=self.element)
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

    def _hostless(self) -> bool:
        """Whether nothing is loaded to draft with."""
        return self.spec is None or self.spec.method in WITHOUT_MODEL

    def _draft_memory_known(self) -> bool:
        if self._hostless():
            return True
        return self._draft_memory() is not None

    def utilization(self) -> float:
        """Share of GPU memory: as declared, else the default of the engine version."""
        stated = self.variant.target.gpu_memory_utilization
        return float(self.engine.gpu_memory_utilization if stated is None else stated)

    def sequence(self) -> int:
        """Length of the sequences that capacity is counted for."""
        return self.variant.target.max_model_len or self.target.max_position or 4096

    def _capacity(self, gpu: catalog.Gpu, target: ModelMemory, draft: ModelMemory | None, *, on: bool) -> Capacity:
        spread = None
        if draft is not None and self.spec is not None:
            size = self.engine.draft_tensor_parallel_size(self.spec.method, self.gpus, forced=self.forced)
            spread = min(size, self.gpus) if size is not None else self.gpus
        return capacity(
            gpu.id,
            gpu.memory_gib,
            target,
            draft=draft,
            gpus=self.gpus,
            draft_gpus=spread,
            utilization=self.utilization(),
            overhead=overhead_gib(self.target.hidden, gpus=self.gpus, speculates=on),
            sequence=self.sequence(),
        )

    def _placement(self, name: str, acceptance: Assumption | None) -> Placement:
        gpu = catalog.gpus()[name]
        target = self._target_memory()
        baseline = self._capacity(gpu, target, None, on=False) if target is not None else None
        variant = baseline
        if self.spec is not None:
            known = target is not None and self._draft_memory_known()
            variant = self._capacity(gpu, target, self._draft_memory(), on=True) if target and known else None
        lost = lost_share(baseline, variant) if baseline is not None and variant is not None and self.spec else None
        return Placement(
            gpu=name,
            starts=self._starts(variant),
            baseline=baseline,
            variant=variant,
            lost=lost,
            outlook=self._outlook(name, gpu, acceptance),
        )

    def _starts(self, found: Capacity | None) -> Start:
        if found is None:
            return Start.UNKNOWN
        needed = self.sequence() if self.variant.target.max_model_len or self.target.max_position else 1
        if found.kv_tokens_at_best < needed:
            return Start.NO
        return Start.YES if found.kv_tokens >= needed else Start.TIGHT

    # Pay

    def _acceptance(self) -> Assumption | None:
        if self.spec is None:
            return None
        if self.question.alpha is not None:
            return Assumption(alpha=self.question.alpha, source="given")
        kin = None if self.draft is None else related(self.target, self.draft)
        base = assumed(self.spec.method, same_weights=self._is_copy(), related=kin)
        alpha = at_temperature(base.alpha, self.question.temperature, self.spec.acceptance.method)
        source = base.source
        if alpha != base.alpha:
            source += f"; lowered from {base.alpha:.2f} for temperature {self.question.temperature:g}"
        return Assumption(alpha=alpha, source=source)

    def _is_copy(self) -> bool:
        draft = self.draft
        if draft is None or draft.params is None:
            return False
        return draft.params == self.target.params and draft.layers == self.target.layers

    def _draft_load(self, spec: DraftSpec) -> Load | None:
        if self.draft is not None:
            return target_load(self.draft, spec.quantization, kv_bytes_per_element=self.element)
        return head_load(self.target, spec.method, name=spec.model, kv_bytes_per_element=self.element)

    def _situation(self, gpu: catalog.Gpu) -> Situation | None:
        spec = self.spec
        if spec is None:
            return None
        target = target_load(self.target, self.variant.target.quantization, kv_bytes_per_element=self.element)
        if target is None:
            self.unknowns.append(f"step time of {self.target.name} ({self.target.origin})")
            return None
        hostless = self._hostless()
        draft = None if hostless else self._draft_load(spec)
        if draft is None and not hostless:
            self.unknowns.append(f"step time of the {spec.method.value} draft")
            return None
        release = self.engine.version
        name = _TABLE_NAMES.get(spec.method, spec.method.value.lower())
        on_v0 = self.engine.generation(spec.method, forced=self.forced) == "v0"
        plain, host = v0_hosts(name) if on_v0 else hosts_for((release.major, release.minor), name)
        return Situation(
            chip=Chip(name=gpu.id, bandwidth=gpu.bandwidth, flops16=gpu.bf16_flops, flops8=gpu.fp8_flops),
            gpus=self.gpus,
            target=target,
            draft=draft,
            context=float(self.question.context),
            plain_host=plain,
            host=host,
            block_draft=spec.method in _BLOCK_DRAFTERS,
            whole_vocabulary=spec.method in (DraftMethod.EAGLE, DraftMethod.MTP),
        )

    def _profile(self) -> Profile | None:
        """The built-in table of this very pair and scheduling, whatever the GPU; only one GPU was measured."""
        spec = self.spec
        if spec is None or self.gpus != 1 or self.engine.generation(spec.method, forced=self.forced) == "v0":
            return None
        each = linear_bytes(self.target, self.variant.target.quantization)
        drafted = self.draft.origin if self.draft is not None else spec.method.value.lower()
        release = self.engine.version
        _, host = hosts_for((release.major, release.minor), _TABLE_NAMES.get(spec.method, ""))
        asynchronous = host.plain == 0.0
        for profile in built_in():
            same_target = f"catalog {profile.target} " in f"{self.target.origin} " and each == profile.target_bits / 8.0
            same_draft = (
                f"catalog {profile.draft} " in drafted if self.draft is not None else profile.draft in ("", drafted)
            )
            same_method = profile.method == _TABLE_NAMES.get(spec.method)
            if same_target and same_draft and same_method and profile.asynchronous == asynchronous:
                return profile
        return None

    def _outlook(self, name: str, gpu: catalog.Gpu, acceptance: Assumption | None) -> Outlook | None:
        here = self._situation(gpu)
        if here is None or self.spec is None or acceptance is None:
            return None
        given = self.question.profile
        profile = given or self._profile()
        there = None
        source = f"modelled ({here.fit.source.split(':')[0]})"
        if given is not None:
            source = given.source
        elif profile is not None and profile.gpu == name:
            source = profile.source
        elif profile is not None:
            there = self._situation(catalog.gpus()[profile.gpu])
            source = f"scaled to {name} by the model from: {profile.source}"
        measured_here = profile is not None and there is None
        return outlook(
            name,
            here,
            anchored(here, profile, there),
            k=self.spec.num_speculative_tokens,
            alpha=acceptance.alpha,
            batches=self.question.batches,
            plain_ms=profile.plain_ms if profile is not None and measured_here else lambda _batch: None,
            source=source,
        )

    # Remarks

    def _remarks(self) -> tuple[Remark, ...]:
        found = list(target_remarks(self.variant.target.model))
        found += split_remarks(self.target, self.gpus, field="hardware.gpusPerReplica")
        spec = self.spec
        on_v1 = self.engine.generation(None if spec is None else spec.method, forced=self.forced) == "v1"
        found += length_remarks(self.target, self.draft, self.variant.target.max_model_len, on_v1=on_v1)
        if spec is None:
            return tuple(found)
        if self.draft is not None:
            size = self.engine.draft_tensor_parallel_size(spec.method, self.gpus, forced=self.forced) or self.gpus
            found += split_remarks(self.draft, size, field="draft.model")
        found += pair_remarks(self.target, self.draft, spec=spec, engine=self.engine)
        if spec.method is DraftMethod.MTP and spec.model is None:
            found += prediction_remarks(self.target, spec.num_speculative_tokens)
        served = self.variant.target.max_model_len or self.target.max_position
        found += head_remarks(self.target, spec=spec, served=served, engine=self.engine)
        found += advice.temperature_remarks(spec, self.question.temperature)
        return tuple(found)

    def _pay_remarks(self, placements: tuple[Placement, ...]) -> tuple[Remark, ...]:
        return tuple(advice.pay_remarks([p.outlook for p in placements if p.outlook is not None], self.spec))

    def _rules(self, placements: tuple[Placement, ...]) -> tuple[Rule, ...]:
        if self.spec is None:
            return ()
        first = placements[0]
        drafted = self._draft_memory()
        return article_rules(
            self.target,
            self.draft,
            draft_bytes=0.0 if self._hostless() else drafted.weight_bytes if drafted is not None else None,
            target_bytes=weight_bytes(self.target, self.variant.target.quantization),
            node_gib=catalog.gpus()[first.gpu].memory_gib * self.gpus,
            lost=first.lost,
            outlook=first.outlook,
            draft_model=self.spec.method is DraftMethod.DRAFT_MODEL,
        )
