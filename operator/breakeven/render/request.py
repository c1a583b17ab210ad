"""A variant together with what is known of its engine: what every rule looks at."""

from collections.abc import Mapping
from dataclasses import dataclass

from breakeven.api.spec import DraftMethod
from breakeven.api.variant import Variant
from breakeven.engines import Engine, Refusal, load
from breakeven.render.extra import ExtraArguments, read_extra
from breakeven.render.managed import MANAGED, WATCHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One variant to be rendered for one engine."""

    variant: Variant
    engine: Engine
    extra: ExtraArguments
    env: Mapping[str, str]
    """Literal values of `engine.env`, by name."""

    @property
    def method(self) -> DraftMethod | None:
        """How tokens are drafted; None without speculation."""
        return self.variant.draft.method if self.variant.draft else None

    @property
    def forced_engine(self) -> str:
        """Value of VLLM_USE_V1: 1, 0, or empty where the release chooses."""
        return self.env.get("VLLM_USE_V1", "")

    @property
    def generation(self) -> str:
        """The engine that runs it, `v0` or `v1`."""
        return self.engine.generation(self.method, forced=self.forced_engine)

    @property
    def on_v1(self) -> bool:
        """Whether the V1 engine runs it."""
        return self.generation == "v1"

    @property
    def on_runner_v2(self) -> bool:
        """Whether model runner V2 runs it."""
        forced = self.env.get("VLLM_USE_V2_MODEL_RUNNER", "")
        return self.method is not None and forced != "0" and self.engine.runs_on_v2(self.method)

    @property
    def pipeline_parallel(self) -> int:
        """Stages of pipeline parallelism from `engine.extraArgs`; 1 without."""
        return self.extra.number("--pipeline-parallel-size") or 1

    @property
    def data_parallel(self) -> int:
        """Data-parallel engines in one pod from `engine.extraArgs`; 1 without."""
        return self.extra.number("--data-parallel-size") or 1


def read(variant: Variant) -> Request | Refusal:
    """Look up the engine of a variant; the refusal says why there is none."""
    engine = load().engine_of(variant.engine)
    if isinstance(engine, Refusal):
        return engine
    known = {*MANAGED, *WATCHED, *engine.cli_flags, *engine.removed_flags}
    literal = {str(e["name"]): str(e["value"]) for e in variant.engine.env if "name" in e and "value" in e}
    return Request(variant=variant, engine=engine, extra=read_extra(variant.engine.extra_args, known), env=literal)
