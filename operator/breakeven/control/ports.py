"""What the loop needs from the ports. Adapters implement these; tests implement them with plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from breakeven.api.choices import MetricsSource
from breakeven.api.status import Status
from breakeven.api.vocabulary import Reason
from breakeven.control.warm.state import WarmState
from breakeven.domain.counters.observation import Arm, Outage
from breakeven.domain.decision import Decision
from breakeven.domain.measures.same_answers import Reply

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """Name of one resource."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class ObjectId(NamedTuple):
    """An object of a resource; its namespace is that of the resource."""

    kind: str
    name: str


def object_id(manifest: Manifest) -> ObjectId:
    """Kind and name."""
    return ObjectId(manifest["kind"], manifest["metadata"]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A replica, as the API server knows it."""

    namespace: str
    name: str
    ready_since: datetime | None
    """None: not ready."""
    started_at: datetime | None
    """Start of the present container; a later start resets the counters."""
    engine: str = ""
    """The variant, where the pod has one engine for each of two and its series say which. Empty: it has one engine."""
    address: str | None = None
    """Host and port of its engine; None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsQuery:
    """What one resource wants to know."""

    source: MetricsSource | None = None
    """None: Prometheus where `url` is one, else what the operator's settings say."""
    url: str
    """Prometheus; empty for the operator's own."""
    prefix: str | None
    """Metric prefix; None to detect."""
    namespace_label: str | None
    pod_label: str | None
    pods: Mapping[str, Sequence[Pod]]
    """By variant name."""
    batch: timedelta
    history: timedelta
    """How far back batches are wanted."""
    warmup: timedelta
    buckets: bool = False
    """Whether latency histograms are needed: a promotion hangs on them."""
    buckets_if_room: bool = False
    """Whether they are welcome where they cost little: they tell mixed traffic while a live control runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsReading:
    """What the metrics say; an outage means that nothing may be judged."""

    arms: Mapping[str, Arm]
    outage: Outage | None = None
    scrape_interval: float | None = None
    """Seconds, as seen in the samples."""
    source: MetricsSource = MetricsSource.PROMETHEUS


STARTING = Reason.STARTING
"""Reason of an outage that only says: not asked yet. The first cycle of a process ends it, one way or the other."""


class Metrics(Protocol):
    """Engine metrics. Prometheus is asked once per cycle for all resources; `read` only looks into what came back."""

    def watch(self, key: Key, query: MetricsQuery) -> None:
        """Say what a resource wants; replaces what it said before. Idempotent and cheap."""

    def forget(self, key: Key) -> None:
        """The resource is gone."""

    def read(self, key: Key, now: datetime) -> MetricsReading:
        """What is known for that resource now. Never blocks, never raises."""


class Cluster(Protocol):
    """The API server. Every call has a timeout; errors are those of `control.errors`."""

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> Manifest:
        """Read one object. Raises Gone, Retry or Refused."""

    async def list(self, api_version: str, kind: str, namespace: str, selector: str) -> Sequence[Manifest]:
        """Read objects by label selector. Raises Retry or Refused."""

    async def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply under our field manager.

        With `uid` and `resourceVersion` it changes that object at that version; without them it creates one. Raises
        Conflict when something else is there, Retry or Refused.
        """

    async def apply_status(self, manifest: Manifest) -> Manifest:
        """Server-side apply of the status subresource. Raises Gone, Conflict, Retry or Refused."""

    async def serves(self, api_version: str, kind: str) -> bool:
        """Whether the API server has that kind. Raises Retry."""

    async def delete(self, manifest: Manifest) -> None:
        """Delete the object with this `uid` at this `resourceVersion`; one that does not exist is fine.

        Raises Conflict when something else is there, Retry or Refused.
        """


class Events(Protocol):
    """Kubernetes Events on transitions."""

    async def post(self, about: Manifest, *, warning: bool, reason: str, message: str) -> None:
        """Best effort: never raises."""


class SmokeTest(Protocol):
    """Real completions against one replica, by the host and port of its engine."""

    async def run(self, address: str, model: str) -> str:
        """Send one completion at temperature 0 and one above; empty when both came back whole, else why not.

        Never raises.
        """


class GreedyAnswers(Protocol):
    """Greedy completions of one replica, by the host and port of its engine."""

    async def ask(self, address: str, model: str, prompt: str, *, logprobs: bool) -> Reply:
        """One bounded completion at temperature 0 within a deadline. Raises Retry where there is none."""


class Switches(Protocol):
    """The switching port of warm replicas. Every call has a deadline and takes a bounded answer.

    All raise Retry where there was no answer of use: nobody there, another token, another order under way, something
    else than what a replica says. An order that was not carried out is an answer: `last` in it says why.
    """

    async def state(self, address: str) -> WarmState:
        """What the replica holds and what is awake."""

    async def awake(self, address: str, *, id: str, variant: str, token: str) -> WarmState:
        """Wake one variant; the same `id` asks again without doing again."""

    async def load(self, address: str, *, id: str, token: str) -> WarmState:
        """Begin to load what the slots file names and is not there."""


class SwitchKey(Protocol):
    """The operator's key, from which the token of each resource is made."""

    def read(self) -> bytes:
        """The key as it is now. Raises ValueError when there is none, with what to do."""


class Leadership(Protocol):
    """Who may write."""

    def may_write(self) -> bool:
        """Whether the lease is held and its deadline has not passed."""


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """Aware, UTC, whole milliseconds."""


class Recorder(Protocol):
    """Figures about the operator itself; implementations never raise."""

    def passed(self, key: Key, *, seconds: float, error: str) -> None:
        """One pass ended; `error` is one word, empty when it went well."""

    def decided(self, key: Key, *, action: str, reason: str) -> None:
        """One decision was taken and recorded."""

    def wrote(self, kind: str, *, verb: str) -> None:
        """One write went to the API server."""

    def reports(self, key: Key, status: Status, decision: Decision | None) -> None:
        """What the resource's status says now, and the decision behind it; None when the resource is refused."""

    def forgot(self, key: Key) -> None:
        """The resource is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All that one pass needs from the ports."""

    cluster: Cluster
    metrics: Metrics
    events: Events
    leadership: Leadership
    clock: Clock
    recorder: Recorder
    switch_key: SwitchKey
