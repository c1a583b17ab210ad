"""What Deployments and pods say about the replicas of each variant."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from breakeven.api.choices import SwitchingMode
from breakeven.api.names import SWITCHING, VARIANT, warm_pool
from breakeven.api.scalars import parse_time
from breakeven.api.serving import DEFAULT_PORT
from breakeven.api.text import plain
from breakeven.control.ports import Manifest, Pod
from breakeven.domain.counters.observation import Fleet, Smoke

_FAILING = frozenset(
    {
        "CrashLoopBackOff",
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""Reasons of a waiting container that do not pass by themselves."""
_ERROR = re.compile(r"\b\w*(?:Error|Exception)\b|\bout of memory\b|\bfatal\b", re.IGNORECASE)
LAST_WORDS = 300
"""Characters of what an engine said last."""
STUCK_AFTER = timedelta(minutes=2)
"""Time beyond its grace period after which a pod that still terminates is not waited for: the kubelet kills at the end
of the period and is through within seconds, unless its node does not answer any more. The rest is for clocks that
differ."""


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """Outcome of the smoke test of one pod, or of a variant."""

    state: Smoke
    message: str = ""


_NOT_TESTED = SmokeResult(Smoke.PENDING)


def variant_of(obj: Manifest) -> str:
    """Hash of the variant an object belongs to; empty when it carries none."""
    labels = obj["metadata"].get("labels") or {}
    return str(labels.get(VARIANT, ""))


def is_warm(obj: Manifest) -> bool:
    """Whether the replicas that an object is or belongs to hold two variants."""
    return (obj["metadata"].get("labels") or {}).get(SWITCHING) == SwitchingMode.WARM


def pool_of(obj: Manifest) -> str:
    """Name of the pool of replicas that an object is or belongs to; empty when it carries no variant.

    Replicas of one variant are a pool of that name. Those that hold two, and carry the baseline of both, are another.
    """
    name = variant_of(obj)
    return warm_pool(name) if name and is_warm(obj) else name


def alive(pod: Manifest) -> bool:
    """Whether a pod counts as a replica: neither terminating nor over."""
    return not pod["metadata"].get("deletionTimestamp") and not _is_over(pod)


def ready_since(pod: Manifest) -> datetime | None:
    """Since when a pod serves; None when it does not."""
    condition = _condition(pod, "Ready")
    if not alive(pod) or condition.get("status") != "True":
        return None
    return parse_time(condition.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])


def _waiting_since(pod: Manifest) -> datetime:
    """Since when a pod has not been ready: since it was made, or since it ceased to be."""
    return parse_time(_condition(pod, "Ready").get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])


def pods_by_variant(pods: Iterable[Manifest], held: Mapping[str, Mapping[str, datetime]]) -> dict[str, list[Pod]]:
    """Living pods for the metrics, by variant.

    `held` are the variants that warm replicas have loaded, by uid of the pod, and since when: each is measured by
    itself, as long as the pod serves.
    """
    by_variant: dict[str, list[Pod]] = {}
    for pod in pods:
        if not alive(pod) or not variant_of(pod):
            continue
        since = ready_since(pod)
        loaded = held.get(pod["metadata"]["uid"], {}) if is_warm(pod) else {variant_of(pod): since}
        for name, begun in loaded.items():
            by_variant.setdefault(name, []).append(
                Pod(
                    namespace=pod["metadata"]["namespace"],
                    name=pod["metadata"]["name"],
                    ready_since=max(since, begun) if since and begun else since,
                    started_at=_started(pod),
                    engine=name if is_warm(pod) else "",
                    address=None if is_warm(pod) else address_of(pod),
                )
            )
    return by_variant


def address_of(pod: Manifest) -> str | None:
    """Host and port of the engine; None while the pod has no address, or one that is its node's: who answers there is
    not known."""
    host, spec = pod.get("status", {}).get("podIP"), pod.get("spec") or {}
    if not host or spec.get("hostNetwork"):
        return None
    engine: Mapping[str, Any] = next(iter(spec.get("containers") or ()), {})
    port = next((p.get("containerPort") for p in engine.get("ports") or ()), DEFAULT_PORT)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def fleets(
    deployments: Sequence[Manifest],
    pods: Sequence[Manifest],
    *,
    now: datetime,
    unsettled_at: Mapping[str, datetime],
    smoke: Mapping[str, SmokeResult],
) -> dict[str, Fleet]:
    """Replicas by pool (`pool_of`).

    `unsettled_at` is when a pool was last seen unsettled: pods that went leave no trace in those that stay.
    `smoke` is the outcome of the smoke test by variant.
    """
    by_pool: dict[str, list[Manifest]] = {pool_of(d): [] for d in deployments if pool_of(d)}
    for pod in pods:
        if pool_of(pod):
            by_pool.setdefault(pool_of(pod), []).append(pod)
    spec_of = {pool_of(d): d for d in deployments}
    return {
        name: _fleet(name, spec_of.get(name), mine, now, unsettled_at.get(name), smoke.get(name, _NOT_TESTED))
        for name, mine in sorted(by_pool.items())
    }


def loading_minutes(pods: Iterable[Manifest]) -> float | None:
    """Median minutes from the start of a pod to ready, over pods that never restarted; None before any was seen."""
    seen = []
    for pod in pods:
        since, start = ready_since(pod), pod.get("status", {}).get("startTime")
        if since and start and not _restarts(pod):
            seen.append((since - parse_time(start)) / timedelta(minutes=1))
    return median(seen) if seen else None


def _fleet(
    name: str,
    deployment: Manifest | None,
    pods: list[Manifest],
    now: datetime,
    unsettled_at: datetime | None,
    smoke: SmokeResult,
) -> Fleet:
    wanted = int(deployment["spec"].get("replicas", 1)) if deployment else 0
    living = [p for p in pods if alive(p)]
    times = [t for t in (ready_since(p) for p in living) if t]
    terminating = [p for p in pods if p["metadata"].get("deletionTimestamp") and not _is_over(p)]
    stuck = [p for p in terminating if now - parse_time(p["metadata"]["deletionTimestamp"]) > STUCK_AFTER]
    settled = wanted == len(living) == len(times) and len(terminating) == len(stuck)
    since = max([*times, *([unsettled_at] if unsettled_at else [])], default=None)
    return Fleet(
        variant=name,
        wanted=wanted,
        existing=len(living),
        ready=len(times),
        terminating=len(terminating) - len(stuck),
        stuck=tuple(_place(p) for p in stuck),
        settled_since=since if settled and wanted else None,
        waiting_since=max((_waiting_since(p) for p in living if ready_since(p) is None), default=None),
        restarts=sum(_restarts(p) for p in living),
        crash=next((w for w in (_last_words(c) for p in living for c in _containers(p)) if w), "").strip(),
        failing=_failing(deployment, living),
        unschedulable=next((m for m in (_unschedulable(p) for p in living) if m), ""),
        nodes={p["metadata"]["name"]: node for p in living if (node := (p.get("spec") or {}).get("nodeName"))},
        smoke=smoke.state,
        smoke_message=smoke.message,
    )


def _failing(deployment: Manifest | None, pods: list[Manifest]) -> str:
    for pod in pods:
        for container in _containers(pod):
            waiting = container.get("state", {}).get("waiting", {})
            if waiting.get("reason") in _FAILING:
                return f"{pod['metadata']['name']}: {waiting['reason']}{_last_words(container)}"
            # An engine that crashes exits with 0 and is restarted: the exit code does not tell a crash from a stop.
            if not container.get("ready") and container.get("restartCount", 0) and _last_words(container):
                return f"{pod['metadata']['name']}: restarted{_last_words(container)}"
    for condition in (deployment or {}).get("status", {}).get("conditions", []):
        late = condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
        if late or (condition["type"] == "ReplicaFailure" and condition["status"] == "True"):
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return ""


def _last_words(container: Mapping[str, Any]) -> str:
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated", {})
    if not ended:
        return ""
    words = last_words(str(ended.get("message") or ""))
    said = f", {words}" if words else ""
    return f" after {ended.get('reason', 'exit')} (exit code {ended.get('exitCode', '?')}){said}"


def last_words(log: str) -> str:
    """The line of a log's end that says what went wrong, in one printable line: the last error, else the last line.

    With `terminationMessagePolicy: FallbackToLogsOnError` the kubelet gives the last 80 lines or 2048 bytes.
    """
    lines = [line for line in (plain(line) for line in log.splitlines()) if line]
    errors = [line for line in lines if _ERROR.search(line)]
    return plain((errors or lines or [""])[-1], LAST_WORDS)


def _unschedulable(pod: Manifest) -> str:
    condition = _condition(pod, "PodScheduled")
    if condition.get("status") == "False" and condition.get("reason") == "Unschedulable":
        return str(condition.get("message", "unschedulable"))
    return ""


def _is_over(pod: Manifest) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _place(pod: Manifest) -> str:
    name, node = pod["metadata"]["name"], (pod.get("spec") or {}).get("nodeName")
    return f"{name} on node {node}" if node else str(name)


def _condition(pod: Manifest, kind: str) -> Mapping[str, Any]:
    conditions = pod.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == kind), {})


def _containers(pod: Manifest) -> Sequence[Mapping[str, Any]]:
    return pod.get("status", {}).get("containerStatuses") or []


def _restarts(pod: Manifest) -> int:
    return sum(int(c.get("restartCount", 0)) for c in _containers(pod))


def _started(pod: Manifest) -> datetime | None:
    starts = [c.get("state", {}).get("running", {}).get("startedAt") for c in _containers(pod)]
    return max((parse_time(s) for s in starts if s), default=None)
