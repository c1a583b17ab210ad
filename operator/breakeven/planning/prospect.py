"""The paying side of a plan: what acceptance is assumed, how steps are timed, and what follows by batch."""

from dataclasses import dataclass, replace

from breakeven.api.spec import DraftMethod, DraftSpec, HardwareSpec
from breakeven.planning.acceptance import Assumption, assumed, at_temperature
from breakeven.planning.brief import Brief
from breakeven.planning.calibration import hosts_for, is_asynchronous, never_timed, v0_hosts
from breakeven.planning.confidence import HYBRIDS, LONGEST_FITTED, SMALLEST_FITTED, Kind
from breakeven.planning.gpus import MEASURED, Gpu, accelerators
from breakeven.planning.loads import head_load, target_load
from breakeven.planning.measured import Profile, built_in
from breakeven.planning.outlook import Asked, Outlook, StepInputs, Timing, outlook
from breakeven.planning.pairing import related
from breakeven.planning.steptime import Chip, Load
from breakeven.planning.weights import linear_bytes

IDLE_V1 = (1.08, 1.6, 3.9)
"""R of a V1 engine that speculates and drafts nothing for the moment (schedule with k = 0): smallest, usual, largest.
1.29 to 2.06 on one H200 under vLLM 0.26.0, 1.08 to 1.17 at a context of 4,000 (vllm#49652), 3.9 once on an H100."""
IDLE_V0 = (1.15, 1.16, 1.18)
"""The same on V0: 15 to 18 % for the idle machinery."""
_BLOCK_DRAFTERS = frozenset({DraftMethod.DFLASH, DraftMethod.DSPARK, DraftMethod.MEDUSA})
_ONE_BY_ONE = frozenset(
    {DraftMethod.DRAFT_MODEL, DraftMethod.EAGLE, DraftMethod.EAGLE3, DraftMethod.NGRAM, DraftMethod.NGRAM_GPU}
)
_TABLE_NAMES = {
    DraftMethod.DRAFT_MODEL: "draft_model",
    DraftMethod.EAGLE3: "eagle3",
    DraftMethod.NGRAM: "ngram",
    DraftMethod.NGRAM_GPU: "ngram_gpu",
}
_COMPARED = ("H100", "H200", "H800", "A100")
"""GPU models, or beginnings of their names, whose published rows the model was compared with."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """The paying side of one variant."""

    brief: Brief

    def acceptance(self) -> Assumption | None:
        """What is taken for acceptance at the asked temperature, and for the share of steps that draft."""
        brief, spec = self.brief, self.brief.spec
        if spec is None:
            return None
        asked = brief.question
        kin = None if brief.draft is None else related(brief.target, brief.draft)
        base = assumed(spec.method, same_weights=self._is_copy(), related=kin)
        drafting = base.drafting if asked.drafting is None else asked.drafting
        if asked.alpha is not None:
            return Assumption(alpha=asked.alpha, source="given", drafting=drafting, given=True)
        alpha = at_temperature(base.alpha, asked.temperature, spec.acceptance.method)
        source = base.source
        if alpha != base.alpha:
            source += f"; lowered from {base.alpha:.2f} for temperature {asked.temperature:g}"
        return replace(base, alpha=alpha, source=source, drafting=drafting)

    def outlook(self, gpu: Gpu, acceptance: Assumption | None, room: int | None) -> Outlook | None:
        """What is predicted on one GPU model; None without a draft and where a fact is missing, which is then said."""
        brief, spec = self.brief, self.brief.spec
        if spec is None or acceptance is None:
            return None
        here = self._situation(gpu, acceptance.drafting)
        if here is None:
            return None
        given = brief.question.profile
        profile = given or self._table(gpu)
        there = None
        if given is None and profile is not None and profile.gpu != gpu.name:
            there = self._situation(_whole(profile.gpu), acceptance.drafting)
        asked = Asked(
            k=spec.num_speculative_tokens,
            alpha=acceptance.alpha,
            batches=brief.question.batches,
            kind=self.kind(gpu, here.target),
            assumed=not acceptance.given,
            room=room,
            guessed_drafting=acceptance.drafting < 1.0 and brief.question.drafting is None,
            stops_at=self._stops_at(spec),
            idle=IDLE_V0 if brief.on_v0 else IDLE_V1,
        )
        timing = Timing(here=here, profile=profile, there=there)
        return outlook(gpu.name, timing, asked, source=self._source(gpu, here, profile, there))

    def _source(self, gpu: Gpu, here: StepInputs, profile: Profile | None, there: StepInputs | None) -> str:
        if profile is None:
            rates = "" if gpu.measured else f", with the data sheet of {gpu.name}: no step was measured on it"
            return f"modelled ({here.fit.source.split(':')[0]}){rates}"
        if there is not None:
            return f"scaled to {gpu.name} by the model from: {profile.source}"
        if profile.context is None or profile.context == here.context:
            return profile.source
        return f"{profile.source}, carried to {here.context:.0f} tokens of context by the model"

    def kind(self, gpu: Gpu, target: Load) -> Kind:
        """What decides how far a prediction is trusted."""
        brief, spec = self.brief, self.brief.spec
        if spec is None or HYBRIDS.search(brief.target.name) or not gpu.name.startswith(_COMPARED) or "/" in gpu.name:
            return Kind.OTHER
        if target.total_bytes > target.read_bytes:
            return Kind.SPARSE
        odd = (
            spec.method not in _ONE_BY_ONE
            or _drafts_blocks(spec)
            or target.read_params < SMALLEST_FITTED
            or target.weight_only
            or brief.context > LONGEST_FITTED
        )
        release = (brief.engine.version.major, brief.engine.version.minor)
        if odd or never_timed(release, _TABLE_NAMES.get(spec.method, "")):
            return Kind.OTHER
        if brief.on_v0:
            return Kind.OLD
        return Kind.ASYNC if is_asynchronous(release) else Kind.DENSE

    def _stops_at(self, spec: DraftSpec) -> int | None:
        """Running requests of a replica from which the engine drafts nothing."""
        limit = spec.disable_above_batch_size
        return None if limit is None else limit * self.brief.engines

    def _is_copy(self) -> bool:
        draft, target = self.brief.draft, self.brief.target
        if draft is None or draft.params is None:
            return False
        return draft.params == target.params and draft.layers == target.layers

    def _draft_load(self, spec: DraftSpec) -> Load | None:
        brief, element = self.brief, self.brief.draft_element
        if element is None:
            return None
        if brief.draft is not None:
            return target_load(brief.draft, spec.quantization, kv_bytes_per_element=element)
        return head_load(brief.target, spec.method, name=spec.model, kv_bytes_per_element=element)

    def _situation(self, gpu: Gpu, drafting: float) -> StepInputs | None:
        brief, spec = self.brief, self.brief.spec
        if spec is None:
            return None
        if gpu.bandwidth is None or gpu.flops16 is None:
            brief.unknowns.extend(gpu.missing)
            return None
        element = brief.element
        if element is None:
            return None
        target = target_load(brief.target, brief.variant.target.quantization, kv_bytes_per_element=element)
        if target is None:
            brief.unknowns.append(f"step time of {brief.target.name} ({brief.target.origin})")
            return None
        draft = None if brief.hostless else self._draft_load(spec)
        if draft is None and not brief.hostless:
            brief.unknowns.append(f"step time of the {spec.method.value} draft")
            return None
        release = brief.engine.version
        name = _TABLE_NAMES.get(spec.method, spec.method.value.lower())
        plain, host = v0_hosts(name) if brief.on_v0 else hosts_for((release.major, release.minor), name)
        return StepInputs(
            chip=Chip(name=gpu.name, bandwidth=gpu.bandwidth, flops16=gpu.flops16, flops8=gpu.flops8),
            gpus=brief.gpus * brief.stages,
            target=target,
            draft=draft,
            context=brief.context,
            plain_host=plain,
            host=host,
            engines=brief.engines,
            block_draft=_drafts_blocks(spec),
            whole_vocabulary=spec.method in (DraftMethod.EAGLE, DraftMethod.MTP),
            drafting=drafting,
        )

    def _table(self, gpu: Gpu) -> Profile | None:
        """The built-in table of this very pair and scheduling, that of this GPU first; only one GPU at a time was
        measured, and tables are carried between the measured models alone."""
        brief, spec = self.brief, self.brief.spec
        if spec is None or brief.variant.hardware.gpus_per_replica != 1 or brief.on_v0 or gpu.name not in MEASURED:
            return None
        each = linear_bytes(brief.target, brief.variant.target.quantization)
        drafted = brief.draft.origin if brief.draft is not None else spec.method.value.lower()
        release = brief.engine.version
        _, host = hosts_for((release.major, release.minor), _TABLE_NAMES.get(spec.method, ""))
        asynchronous = host.plain == 0.0
        found = None
        for profile in built_in():
            same_target = (
                f"catalog {profile.target} " in f"{brief.target.origin} " and each == profile.target_bits / 8.0
            )
            same_draft = (
                f"catalog {profile.draft} " in drafted if brief.draft is not None else profile.draft in ("", drafted)
            )
            same_method = profile.method == _TABLE_NAMES.get(spec.method)
            if same_target and same_draft and same_method and profile.asynchronous == asynchronous:
                found = profile if found is None or profile.gpu == gpu.name else found
        return found


def _drafts_blocks(spec: DraftSpec) -> bool:
    """Whether one pass drafts all tokens."""
    return spec.method in _BLOCK_DRAFTERS or spec.extra_keys.get("parallel_drafting") is True


def _whole(name: str) -> Gpu:
    """A measured GPU model, uncut."""
    return accelerators(HardwareSpec(accelerators=[name]))[0]
