"""One engine version and the questions that rendering, planning and reading metrics ask of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from breakeven.api.spec import DraftMethod
from breakeven.engines.draft_keys import WITH_WEIGHTS, DraftKey
from breakeven.engines.release_ranges import release_ranges
from breakeven.engines.versions import Version

if TYPE_CHECKING:
    from breakeven.engines.table import Table

_V0_ON_V1_RELEASES = frozenset({DraftMethod.DRAFT_MODEL, DraftMethod.MLP_SPECULATOR})
"""Methods for which 0.9.x falls back to the V0 engine (0.9.2 engine/arg_utils.py:1422-1444)."""
_LITERALS = {
    DraftMethod.DRAFT_MODEL: "draft_model",
    DraftMethod.NGRAM: "ngram",
    DraftMethod.NGRAM_GPU: "ngram_gpu",
    DraftMethod.EAGLE: "eagle",
    DraftMethod.EAGLE3: "eagle3",
    DraftMethod.MEDUSA: "medusa",
    DraftMethod.MLP_SPECULATOR: "mlp_speculator",
    DraftMethod.SUFFIX: "suffix",
    DraftMethod.DFLASH: "dflash",
    DraftMethod.DSPARK: "dspark",
}
_EVERY_DRAFTER = "model-based drafters"
"""The table's words where adaptive verification is no longer DSpark's alone."""
_V0_PATHS = frozenset({DraftMethod.DRAFT_MODEL, DraftMethod.EAGLE, DraftMethod.MEDUSA, DraftMethod.MLP_SPECULATOR})
_NEVER_ON_V0 = frozenset({DraftMethod.EAGLE3})
"""Methods that came with V1 and that V0 never had."""
_EARLY_V1 = {DraftMethod.NGRAM: "0.8.0", DraftMethod.EAGLE: "0.8.3"}
"""What V1 can draft with before 0.9.0, and from which release (0.8.5 engine/arg_utils.py:1423-1442)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A vLLM version, seen through the entry of the table that stands for it."""

    version: Version
    """The version that runs."""
    release: str
    """The entry used: the version itself, or the nearest older one that is known."""
    place: int = field(repr=False)
    """Place of that entry in the list of releases."""
    table: "Table" = field(repr=False, compare=False)

    @property
    def assumed(self) -> bool:
        """Whether the entry is that of an older release."""
        return str(self.version) != self.release

    @property
    def assumption(self) -> str:
        """The same in words, for the condition EngineVersionKnown; empty when the version is known."""
        if not self.assumed:
            return ""
        return f"vLLM {self.version} is not in the capability table; arguments are rendered as for {self.release}"

    def at_least(self, release: str) -> bool:
        """Whether this engine counts as that release or a newer one."""
        return Version.of(self.release) >= Version.of(release)

    def before(self, release: str) -> bool:
        """Whether this engine counts as older than that release."""
        return not self.at_least(release)

    # What exists

    @property
    def cli_flags(self) -> frozenset[str]:
        """Flags of `vllm serve` that this release has, of those the table follows (not every flag there is)."""
        return self.table.names("flags", self.place)

    @property
    def removed_flags(self) -> frozenset[str]:
        """Flags that another release has and this one refuses."""
        return self.table.every_name("flags") - self.cli_flags

    @property
    def speculative_config_keys(self) -> frozenset[str]:
        """Keys of `--speculative-config`; empty before that flag took JSON."""
        return self.table.names("speculative_config_keys", self.place)

    def draft_key(self, name: str) -> DraftKey | None:
        """What a further key of the draft takes in this release; None when the release has no such key."""
        if name not in self.speculative_config_keys:
            return None
        key = self.table.draft_key(name)
        if key is not None and name == "enable_adaptive_verification" and self.adaptive_verification == _EVERY_DRAFTER:
            return replace(key, methods=WITH_WEIGHTS)
        return key

    @property
    def unknown_key_policy(self) -> str:
        """What a key that is not known does: `no json flag`, `TypeError`, `silently ignored` or `ValidationError`."""
        return str(self.table.fact("unknown_key_policy", self.place))

    @property
    def methods(self) -> frozenset[str]:
        """Values of `method` (before 0.8.2: kinds of `--speculative-model`)."""
        return self.table.names("methods", self.place)

    @property
    def acceptance_methods(self) -> frozenset[str]:
        """Values of the acceptance key or flag."""
        return self.table.names("acceptance_methods", self.place)

    @property
    def acceptance_key(self) -> str | None:
        """Key of `--speculative-config`, or flag, that takes them; None when the release has none."""
        key = self.table.fact("acceptance_key", self.place)
        return None if key is None else str(key)

    @property
    def draft_sample_methods(self) -> frozenset[str]:
        """Values of `draft_sample_method`; empty when the release has no such key."""
        return self.table.names("draft_sample_methods", self.place)

    @property
    def quantization_methods(self) -> frozenset[str]:
        """Values of `--quantization`."""
        return self.table.names("quantization_methods", self.place)

    @property
    def kv_cache_dtypes(self) -> frozenset[str]:
        """Values of `--kv-cache-dtype`."""
        return self.table.names("kv_cache_dtypes", self.place)

    @property
    def gpu_memory_utilization(self) -> Decimal:
        """Default share of GPU memory."""
        return Decimal(str(self.table.fact("gpu_memory_utilization_default", self.place)))

    @property
    def sleeps(self) -> bool:
        """Whether an engine can be put to sleep with its requests waited for, and wakes with its draft."""
        return bool(self.table.fact("sleep_mode", self.place) == "waits")

    @property
    def dynamic_k_key(self) -> str | None:
        """Key of the launch-time schedule of draft length by batch size; None when there is none."""
        key = self.table.fact("dynamic_k_key", self.place)
        return None if key is None else str(key)

    @property
    def disable_by_batch_size(self) -> str:
        """What the old disable-by-batch-size does here, in the table's words."""
        return str(self.table.fact("disable_by_batch_size", self.place))

    @property
    def adaptive_verification(self) -> str | None:
        """For which drafters `enable_adaptive_verification` works, in words; None when there is none."""
        value = self.table.fact("adaptive_verification", self.place)
        return None if value is None else str(value)

    @property
    def draft_model(self) -> Mapping[str, Any]:
        """What is known of draft models: supported, engine, method_key_required, draft_tp."""
        found: Mapping[str, Any] = self.table.fact("draft_model", self.place)
        return found

    # Eras

    @property
    def speaks_json(self) -> bool:
        """Whether speculation is one `--speculative-config` of JSON; 0.8.2 reads Python literals there, so flags."""
        return self.at_least("0.8.3")

    @property
    def drains(self) -> bool:
        """Whether `--shutdown-timeout` lets requests in flight finish."""
        return "--shutdown-timeout" in self.cli_flags

    @property
    def custom_buckets(self) -> bool:
        """Whether histogram buckets can be set."""
        return "--custom-histogram-buckets" in self.cli_flags

    def generation(self, method: DraftMethod | None, *, forced: str = "") -> str:
        """`v0` or `v1`: the engine that a method runs on, None being no speculation.

        `forced` is the value of the environment variable VLLM_USE_V1, which 0.8 and 0.9 read: 1, 0, or empty.
        """
        if self.before("0.8.0"):
            return "v0"
        if self.at_least("0.10.0") or forced == "1":
            return "v1"
        if forced == "0":
            return "v0"
        if method is None:
            return "v1"
        if self.before("0.9.0"):
            return "v0"
        return "v0" if method in _V0_ON_V1_RELEASES else "v1"

    # Methods

    def supports(self, method: DraftMethod) -> bool:
        """Whether this release can draft that way at all."""
        if method is DraftMethod.MTP:
            return self.at_least("0.7.3")
        if method is DraftMethod.MLP_SPECULATOR:
            return self.before("0.10.0")
        if method is DraftMethod.DRAFT_MODEL:
            return bool(self.draft_model["supported"])
        if self.before("0.8.2"):
            return method in _V0_PATHS or method is DraftMethod.NGRAM
        return _LITERALS[method] in self.methods

    def method_literal(self, method: DraftMethod, target_model: str) -> str | None:
        """Value of `method`; None when the release must infer it from the target (MTP before 0.9.0).

        Which MTP name 0.9.0 to 0.10.2 want depends on the target.
        """
        if method is not DraftMethod.MTP:
            return _LITERALS[method]
        if self.before("0.9.0"):
            return None
        if self.at_least("0.11.0"):
            return "mtp"
        name = target_model.lower()
        if "ernie" in name:
            return "ernie_mtp"
        if "qwen3-next" in name or "qwen3_next" in name:
            return "qwen3_next_mtp"
        return "deepseek_mtp"

    def drafts_on(self, method: DraftMethod, generation: str) -> bool:
        """Whether `v0` or `v1` of this release drafts with a method it `supports`; VLLM_USE_V1 may ask for either."""
        if generation == "v0":
            return self.before("0.10.0") and method not in _NEVER_ON_V0
        if self.before("0.9.0"):
            return method in _EARLY_V1 and self.at_least(_EARLY_V1[method])
        return self.at_least("0.10.0") or method not in _V0_ON_V1_RELEASES

    def draft_tensor_parallel_size(self, method: DraftMethod, target: int, *, forced: str = "") -> int | None:
        """Tensor-parallel size to write for the draft; None to leave it out.

        V0 takes 1 everywhere, and asks it of heads. A draft model on V1 must use the target's. Elsewhere the key does
        nothing. `forced` is the value of VLLM_USE_V1, as in `generation`.
        """
        if method in (DraftMethod.NGRAM, DraftMethod.NGRAM_GPU, DraftMethod.SUFFIX):
            return None
        if self.before("0.9.1") or self.generation(method, forced=forced) == "v0":
            return 1
        return target if method is DraftMethod.DRAFT_MODEL else None

    def runs_on_v2(self, method: DraftMethod) -> bool:
        """Whether model runner V2 takes a method by default for an ordinary dense target."""
        if method is DraftMethod.DRAFT_MODEL:
            return self.at_least("0.31.0")
        if method in (DraftMethod.NGRAM, DraftMethod.NGRAM_GPU):
            return self.at_least("0.32.0")
        if method in (DraftMethod.SUFFIX, DraftMethod.MEDUSA, DraftMethod.MLP_SPECULATOR):
            return False
        return self.at_least("0.23.0")

    # Others that can

    def versions(self, can: Callable[["Engine"], bool]) -> str:
        """Releases for which something holds, in words."""
        every = self.table.releases
        return release_ranges([r for r in every if can(self._other(r))], every)

    def versions_with(self, section: str, name: str) -> str:
        """Releases that have a name of a section of the table, in words."""
        return release_ranges(self.table.releases_with(section, name), self.table.releases)

    def applies(self, rule: str) -> bool:
        """Whether an incompatibility of the table concerns this engine."""
        return self.table.applies(rule, self.place)

    def traffic_warnings(self, method: DraftMethod, generation: str) -> Mapping[str, str]:
        """What requests should know of speculation with a method on `v0` or `v1`, by the rule's id."""
        return {
            str(entry["id"]): str(entry["says"])
            for entry in self.table.incompatibilities
            if entry["judged_by"] == "traffic"
            and self.applies(entry["id"])
            and method.value in entry.get("methods", (method.value,))
            and generation == entry.get("generation", generation)
        }

    def metric_names(self, method: DraftMethod | None = None) -> Mapping[str, str]:
        """Metric names by meaning (`draft_tokens`, `ttft`, `running` …) on the engine that a method runs on."""
        return self.table.metric_names(self.generation(method), self.place)

    @property
    def eagle3_target_families(self) -> tuple[str, ...]:
        """Words, one of which an EAGLE-3 target's name must hold; empty when there is no such list."""
        return self.table.eagle3_target_families(self.place)

    def _other(self, release: str) -> "Engine":
        place = self.table.releases.index(release)
        return Engine(version=Version.of(release), release=release, place=place, table=self.table)
