"""The shapes that people have vLLM in, each read into a `Workload`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from breakeven.adopt import compose, helm, kserve
from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.workload import Manifest, Workload, engine_of, texts

_CONTROLLERS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Rollout", "Pod"})


def read(documents: Sequence[Any], *, release: str = "") -> tuple[list[Workload], tuple[Manifest, ...]]:
    """Every server in these documents, and the Services beside them.

    Parameters
    ----------
    documents
        Kubernetes objects, one Helm values file, or one compose file.
    release
        Name of the Helm release, which charts put in front of names.

    Raises
    ------
    NotAdoptable
        If none of them is known to run vLLM; the message says why for each.
    """
    objects = [d for d in documents if isinstance(d, dict)]
    found: list[Workload] = []
    why: list[str] = []
    for obj in objects:
        reader = _reader(obj, release)
        if reader is None:
            continue
        try:
            found += reader(obj)
        except NotAdoptable as error:
            why.append(str(error))
    if not found:
        kinds = ", ".join(sorted({str(o.get("kind")) for o in objects if o.get("kind")})) or "nothing known"
        raise NotAdoptable("; ".join(why) or f"no server in it: it holds {kinds}")
    return found, tuple(o for o in objects if o.get("kind") == "Service")


def _reader(obj: Manifest, release: str) -> Callable[[Manifest], Sequence[Workload]] | None:
    kind = str(obj.get("kind", ""))
    if kind in _CONTROLLERS:
        return lambda o: [_controller(o)]
    if kind == "InferenceService":
        return lambda o: [kserve.inference_service(o)]
    if kind == "LLMInferenceService":
        return lambda o: [kserve.llm_inference_service(o)]
    if isinstance(obj.get("servingEngineSpec"), Mapping):
        return lambda o: helm.production_stack(o, release or "vllm")
    if isinstance(obj.get("modelArtifacts"), Mapping):
        return lambda o: helm.llm_d(o, release or "ms")
    if isinstance(obj.get("services"), Mapping):
        return compose.services
    return None


def _controller(obj: Manifest) -> Workload:
    kind, metadata = str(obj["kind"]), obj.get("metadata") or {}
    spec = obj.get("spec") or {}
    what = f"{kind} {metadata.get('name')}"
    template = {"metadata": metadata, "spec": spec} if kind == "Pod" else spec.get("template")
    if not isinstance(template, dict):
        raise NotAdoptable(f"{what}: it has no pod template")
    template, about_claims = _with_claims(template, spec, str(metadata.get("name")))
    replicas = spec.get("replicas", 1) if kind != "Pod" else 1
    return Workload(
        kind=kind,
        name=str(metadata.get("name") or metadata.get("generateName") or "vllm"),
        namespace=str(metadata.get("namespace") or ""),
        replicas=replicas if isinstance(replicas, int) else 1,
        template=template,
        engine=engine_of(template, what),
        labels=texts(metadata.get("labels")),
        annotations=texts(metadata.get("annotations")),
        notes=(*about_claims, *_around(kind, spec)),
    )


def _with_claims(template: Manifest, spec: Mapping[str, Any], name: str) -> tuple[Manifest, list[Note]]:
    """Claims that each replica had for itself, as one that all of them mount."""
    notes = []
    volumes = list((template.get("spec") or {}).get("volumes") or [])
    for claim in spec.get("volumeClaimTemplates") or []:
        volume = str(((claim or {}).get("metadata") or {}).get("name"))
        claim_name = f"{name}-{volume}"
        volumes.append({"name": volume, "persistentVolumeClaim": {"claimName": claim_name}})
        message = (
            f"replicas here have no volumes of their own: make the claim {claim_name}, which all of them may mount "
            "(ReadWriteMany or ReadOnlyMany), with the same content"
        )
        notes.append(Note(f"volumeClaimTemplates {volume}", message))
    return ({**template, "spec": {**template["spec"], "volumes": volumes}} if notes else template), notes


def _around(kind: str, spec: Mapping[str, Any]) -> Iterator[Note]:
    """What stands beside the template and has no place here."""
    if kind == "StatefulSet" and spec.get("serviceName"):
        yield Note("serviceName", "is not kept: replicas here have no names of their own; ask a Service")
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    if strategy.get("type") not in (None, "RollingUpdate") or set(map(str, rolling.values())) - {"25%"}:
        yield Note("strategy", "is not kept: replicas change one at a time, see policy.switching")
    if kind == "DaemonSet":
        yield Note("kind", "a DaemonSet has a pod on each node: write spec.replicas")
