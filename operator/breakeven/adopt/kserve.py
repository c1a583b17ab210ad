"""KServe's InferenceService (v1beta1) and LLMInferenceService, as the pods that KServe makes of them."""

import shlex
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.started import runs_vllm
from breakeven.adopt.workload import Manifest, Workload, engine_of, first_map, texts

_OF_KSERVE = frozenset(
    [
        "minReplicas",
        "maxReplicas",
        "scaleTarget",
        "scaleMetric",
        "scaleMetricType",
        "containerConcurrency",
        "timeout",
        "canaryTrafficPercent",
        "batcher",
        "logger",
        "labels",
        "annotations",
        "deploymentStrategy",
        "autoScaling",
        "model",
        "workerSpec",
    ]
)
_OF_MODEL = frozenset({"modelFormat", "storageUri", "storage", "runtime", "runtimeVersion", "protocolVersion", "name"})
_SERVER_FLAGS = {"--model_name": "--served-model-name", "--model_id": "--model", "--model_dir": "--model"}
"""Flags of KServe's Hugging Face server, which hands all others to vLLM."""
_DROPPED = ("--backend", "--task", "--enable_docs_url", "--http_port", "--predictor_protocol")
_MODELS = "/mnt/models"
_PORT = 8080
_MORE = "VLLM_ADDITIONAL_ARGS"
"""Variable in which LLMInferenceService takes further arguments."""


def inference_service(obj: Manifest) -> Workload:
    """An InferenceService. Raises NotAdoptable when its predictor is another server's."""
    metadata = obj.get("metadata") or {}
    name, predictor = str(metadata.get("name") or "vllm"), (obj.get("spec") or {}).get("predictor")
    what = f"InferenceService {name}"
    if not isinstance(predictor, dict):
        raise NotAdoptable(f"{what}: it has no spec.predictor")
    notes = [
        Note(part, f"is not kept: put the {part} in front of Service {name} yourself")
        for part in ("transformer", "explainer")
        if (obj.get("spec") or {}).get(part)
    ]
    pod = {k: deepcopy(v) for k, v in predictor.items() if k not in _OF_KSERVE}
    if isinstance(predictor.get("model"), Mapping):
        pod["containers"] = [_model(predictor["model"], what, notes), *(pod.get("containers") or [])]
    _storage(first_map(pod.get("containers") or []), pod, notes)
    if predictor.get("canaryTrafficPercent") is not None:
        notes.append(Note("canaryTrafficPercent", "is not kept: replicas are tried one at a time, see policy"))
    if predictor.get("maxReplicas") not in (None, 0, predictor.get("minReplicas")):
        notes.append(Note("maxReplicas", "is not kept: put an HPA or KEDA on the scale subresource of the resource"))
    about = {
        "labels": {**texts(metadata.get("labels")), **texts(predictor.get("labels")), "app": f"isvc.{name}-predictor"},
        "annotations": texts(predictor.get("annotations")),
    }
    template: Manifest = {"metadata": about, "spec": pod}
    replicas = predictor.get("minReplicas")
    return Workload(
        kind="InferenceService",
        name=name,
        namespace=str(metadata.get("namespace") or ""),
        replicas=replicas if isinstance(replicas, int) and replicas > 0 else 1,
        template=template,
        engine=engine_of(template, what),
        labels=texts(metadata.get("labels")),
        annotations={},
        notes=tuple(notes),
    )


def _model(model: Mapping[str, Any], what: str, notes: list[Note]) -> Manifest:
    """The container that a ServingRuntime and `predictor.model` come to."""
    container = {k: deepcopy(v) for k, v in model.items() if k not in _OF_MODEL}
    container.setdefault("name", "kserve-container")
    named = str((model.get("modelFormat") or {}).get("name", "")).lower()
    if named not in ("huggingface", "vllm", "llm", ""):
        raise NotAdoptable(f"{what}: predictor.model is of the format {named}, which is not served by vLLM")
    uri = str(model.get("storageUri") or "")
    if uri:
        container["env"] = [*(container.get("env") or []), {"name": "STORAGE_URI", "value": uri}]
    if model.get("storage"):
        notes.append(Note("predictor.model.storage", f"is not kept: mount the model at {_MODELS} in podTemplate"))
    if model.get("runtime"):
        message = "its image, arguments and variables are not in this file: compare with it, or adopt the Deployment"
        notes.append(Note(f"ServingRuntime {model['runtime']}", message))
    if not container.get("command") and not runs_vllm(container):
        container["command"] = ["vllm", "serve"]
        container["args"] = [*_server_flags(container.get("args") or []), "--port", str(_PORT)]
    return container


def _server_flags(arguments: list[Any]) -> list[str]:
    out: list[str] = []
    words = iter(map(str, arguments))
    for word in words:
        flag, equals, value = word.partition("=")
        if flag in _DROPPED:
            if not equals:
                next(words, None)
        elif flag in _SERVER_FLAGS:
            out += [_SERVER_FLAGS[flag], value if equals else next(words, "")]
        else:
            out.append(word)
    return out


def _storage(container: Manifest, pod: Manifest, notes: list[Note]) -> None:
    """What KServe's storage initializer would have done."""
    items = container.get("env") or []
    uri = next((str(e.get("value")) for e in items if e.get("name") in ("STORAGE_URI", "STORAGE_URIS")), "")
    if not uri:
        return
    container["env"] = [e for e in items if e.get("name") not in ("STORAGE_URI", "STORAGE_URIS")]
    scheme, _, rest = uri.partition("://")
    words = list(map(str, container.get("args") or []))
    if scheme == "hf":
        model = rest.partition(":")[0]
        container["args"] = [model if w == _MODELS else w for w in words]
        if _MODELS not in words and not any(w.startswith("--model") for w in words):
            container["args"] = ["--model", model, *container["args"]]
        return
    if not any(_MODELS in w for w in words) and not any(w.startswith("--model") for w in words):
        container["args"] = ["--model", _MODELS, *words]
    if scheme == "pvc":
        claim, _, path = rest.partition("/")
        mount = {"name": "model", "mountPath": _MODELS, "readOnly": True}
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), mount | _sub_path(path)]
        volume = {"name": "model", "persistentVolumeClaim": {"claimName": claim}}
        pod["volumes"] = [*(pod.get("volumes") or []), volume]
        return
    message = f"KServe downloads it to {_MODELS}, and nothing does here: put the model on a volume mounted there"
    notes.append(Note(f"storageUri {uri}", message))


def _sub_path(path: str) -> Manifest:
    return {"subPath": path.strip("/")} if path.strip("/") else {}


def llm_inference_service(obj: Manifest) -> Workload:
    """An LLMInferenceService. Raises NotAdoptable when it names no model."""
    metadata, spec = obj.get("metadata") or {}, obj.get("spec") or {}
    name = str(metadata.get("name") or "vllm")
    what, model = f"LLMInferenceService {name}", spec.get("model") or {}
    uri = str(model.get("uri") or "")
    if not uri:
        raise NotAdoptable(f"{what}: it has no spec.model.uri")
    notes = [Note(part, f"is not kept: {why}") for part, why in _NOT_HERE.items() if spec.get(part)]
    pod = deepcopy(spec.get("template") or {})
    container = next((c for c in pod.get("containers") or [] if c.get("name") == "main"), None)
    if container is None:
        container = {"name": "main"}
        pod["containers"] = [container, *(pod.get("containers") or [])]
    if not container.get("command") and not container.get("args"):
        container["command"], container["args"] = ["vllm", "serve"], _arguments(model, spec, container)
    container["env"] = [
        *(e for e in container.get("env") or [] if e.get("name") != _MORE),
        {"name": "STORAGE_URI", "value": uri},
    ]
    _storage(container, pod, notes)
    template: Manifest = {
        "metadata": {"labels": {"app.kubernetes.io/name": name, "kserve.io/component": "workload"}},
        "spec": pod,
    }
    return Workload(
        kind="LLMInferenceService",
        name=name,
        namespace=str(metadata.get("namespace") or ""),
        replicas=spec["replicas"] if isinstance(spec.get("replicas"), int) else 1,
        template=template,
        engine=engine_of(template, what),
        labels=texts(metadata.get("labels")),
        annotations={},
        notes=tuple(notes),
    )


_NOT_HERE = {
    "prefill": "replicas here prefill and decode",
    "worker": "a replica here is one pod",
    "baseRefs": "adopt what they come to, from the cluster",
    "router": "lead its InferencePool or HTTPRoute to the new pods, see docs/adopting.md",
    "autoscaling": "put an HPA or KEDA on the scale subresource of the resource",
    "scaling": "put an HPA or KEDA on the scale subresource of the resource",
}


def _arguments(model: Mapping[str, Any], spec: Mapping[str, Any], container: Mapping[str, Any]) -> list[str]:
    words = [_MODELS, "--served-model-name", str(model.get("name") or str(model["uri"]).partition("://")[2])]
    parallel = spec.get("parallelism") or {}
    for key, flag in (("tensor", "--tensor-parallel-size"), ("pipeline", "--pipeline-parallel-size")):
        if parallel.get(key):
            words += [flag, str(parallel[key])]
    more = next((str(e.get("value", "")) for e in container.get("env") or [] if e.get("name") == _MORE), "")
    return words + shlex.split(more)
