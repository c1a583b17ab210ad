"""Helm values of vLLM's production-stack and of llm-d's modelservice chart, as the pods that the charts make of them.

What is read here are the values in common use; `helm template RELEASE CHART -f values.yaml` gives what a chart makes of
all of them, and can be adopted as it comes.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.workload import Manifest, Workload, engine_of, first_map, texts

_EXACT = Note("values", "were read without the chart: adopt what `helm template` makes of them to be exact")
_BOOLEAN = {"enableChunkedPrefill": "enable-chunked-prefill", "enablePrefixCaching": "enable-prefix-caching"}
_VALUES = {
    "maxModelLen": "--max-model-len",
    "dtype": "--dtype",
    "tensorParallelSize": "--tensor-parallel-size",
    "maxNumSeqs": "--max-num-seqs",
    "gpuMemoryUtilization": "--gpu-memory-utilization",
    "maxLoras": "--max-loras",
    "runner": "--runner",
    "convert": "--convert",
}
_KEPT_OF_SPEC = {
    "extraVolumes": "volumes",
    "serviceAccountName": "serviceAccountName",
    "priorityClassName": "priorityClassName",
}
_READ = frozenset(
    [
        "name",
        "enabled",
        "annotations",
        "labels",
        "podAnnotations",
        "podLabels",
        "repository",
        "tag",
        "modelURL",
        "modelRevision",
        "replicaCount",
        "resources",
        "requestCPU",
        "requestMemory",
        "requestGPU",
        "requestGPUType",
        "limitCPU",
        "limitMemory",
        "pvcStorage",
        "pvcAccessMode",
        "pvcExistingClaimName",
        "storageClass",
        "pvcMatchLabels",
        "vllmConfig",
        "hf_token",
        "env",
        "envFromSecret",
        "nodeSelectorTerms",
        "nodeName",
        "tolerations",
        "shmSize",
        "extraVolumes",
        "extraVolumeMounts",
        "serviceAccountName",
        "priorityClassName",
        "runtimeClassName",
        "imagePullSecret",
        "enableLoRA",
        "enableTool",
        "toolCallParser",
        "affinity",
        "tolerationsPolicy",
        "lmcacheConfig",
    ]
)
"""Values of a model that are read here; the others are named as lost."""


def production_stack(values: Manifest, release: str) -> list[Workload]:
    """Every model of `servingEngineSpec`. Raises NotAdoptable when there is none."""
    common = values["servingEngineSpec"]
    models = [m for m in common.get("modelSpec") or [] if isinstance(m, dict) and m.get("enabled") is not False]
    models = [m for m in models if m.get("modelURL")]
    if not models:
        raise NotAdoptable("servingEngineSpec.modelSpec has no model that is enabled")
    return [_stack_model(model, common, release) for model in models]


def _stack_model(model: Manifest, common: Mapping[str, Any], release: str) -> Workload:
    name, config = str(model.get("name") or "vllm"), model.get("vllmConfig") or {}
    notes = [_EXACT]
    notes += [
        Note(f"modelSpec.{key}", "is not read: adopt what `helm template` makes of it") for key in model.keys() - _READ
    ]
    engine: Manifest = {
        "name": "vllm",
        "image": f"{model.get('repository', 'vllm/vllm-openai')}:{model.get('tag', 'latest')}",
        "command": ["vllm", "serve", str(model["modelURL"])],
        "args": _stack_arguments(model, config, common),
        "imagePullPolicy": common.get("imagePullPolicy", "Always"),
        "env": _stack_env(model, config, common, release, name),
        "ports": [{"name": "container-port", "containerPort": int(common.get("containerPort") or 8000)}],
        "resources": model.get("resources") or _stack_resources(model),
    }
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if isinstance(common.get(probe), Mapping):
            engine[probe] = deepcopy(common[probe])
    if isinstance(common.get("containerSecurityContext"), Mapping):
        engine["securityContext"] = common["containerSecurityContext"]
    if secret := (model.get("envFromSecret") or {}).get("name"):
        engine["envFrom"] = [{"secretRef": {"name": secret}}]
    spec = _stack_pod(model, common, release, name, engine)
    labels = {"model": name, "helm-release-name": release}
    labels |= texts(common.get("labels", {"environment": "test", "release": "test"})) | texts(model.get("podLabels"))
    template: Manifest = {
        "metadata": {"labels": labels, "annotations": texts(model.get("podAnnotations"))},
        "spec": spec,
    }
    replicas = model.get("replicaCount")
    return Workload(
        kind="production-stack model",
        name=f"{release}-{name}",
        replicas=replicas if isinstance(replicas, int) else 1,
        template=template,
        engine=engine_of(template, f"modelSpec {name}"),
        labels=texts(model.get("labels")),
        annotations=texts(model.get("annotations")),
        notes=tuple(notes),
    )


def _stack_arguments(model: Manifest, config: Mapping[str, Any], common: Mapping[str, Any]) -> list[str]:
    words = ["--host", "0.0.0.0", "--port", str(common.get("containerPort") or 8000)]
    words += ["--enable-lora"] if model.get("enableLoRA") else []
    words += ["--enable-auto-tool-choice"] if model.get("enableTool") else []
    words += ["--tool-call-parser", str(model["toolCallParser"])] if model.get("toolCallParser") else []
    for key, flag in _BOOLEAN.items():
        if key in config or (config and key == "enablePrefixCaching"):  # the chart writes this one always
            words.append(f"--{flag}" if config.get(key) else f"--no-{flag}")
    for key, flag in _VALUES.items():
        if key in config:
            words += [flag, str(config[key])]
    words += [str(word) for word in config.get("extraArgs") or []]
    words += ["--revision", str(model["modelRevision"])] if model.get("modelRevision") else []
    cache = model.get("lmcacheConfig") or {}
    if cache.get("enabled"):
        role = cache.get("kvRole") or "kv_both"
        words += ["--kv-transfer-config", f'{{"kv_connector":"LMCacheConnectorV1","kv_role":"{role}"}}']
    return words


def _stack_env(
    model: Manifest, config: Mapping[str, Any], common: Mapping[str, Any], release: str, name: str
) -> list[Manifest]:
    storage = "/data" if model.get("pvcStorage") else "/tmp"
    env: list[Manifest] = [{"name": "PYTHONHASHSEED", "value": "123"}, {"name": "HF_HOME", "value": storage}]
    env.append({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
    if config:
        old = str(config.get("v0")) == "1"
        env.append(
            {"name": "VLLM_USE_V1", "value": "0"} if old else {"name": "PROMETHEUS_MULTIPROC_DIR", "value": "/tmp"}
        )
    token = model.get("hf_token")
    if isinstance(token, Mapping):
        reference = {"name": token.get("secretName"), "key": token.get("secretKey")}
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}})
    elif token:  # the chart puts it into this Secret
        reference = {"name": f"{release}-secrets", "key": f"hf_token_{name}"}
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}})
    return [*env, *(common.get("env") or []), *(model.get("env") or [])]


def _stack_resources(model: Manifest) -> Manifest:
    def amounts(prefix: str) -> Manifest:
        named = {"cpu": model.get(f"{prefix}CPU"), "memory": model.get(f"{prefix}Memory")}
        return {key: str(value) for key, value in named.items() if value is not None}

    gpus = int(model.get("requestGPU") or 0)
    asked = {str(model.get("requestGPUType") or "nvidia.com/gpu"): str(gpus)} if gpus else {}
    return {"requests": amounts("request") | asked, "limits": amounts("limit") | asked}


def _stack_pod(model: Manifest, common: Mapping[str, Any], release: str, name: str, engine: Manifest) -> Manifest:
    spec: Manifest = {to: deepcopy(model[key]) for key, to in _KEPT_OF_SPEC.items() if model.get(key)}
    mounts = list(model.get("extraVolumeMounts") or [])
    volumes = list(spec.pop("volumes", []))
    if model.get("pvcStorage"):
        claim = str(model.get("pvcExistingClaimName") or f"{release}-{name}-storage-claim")
        volumes.append({"name": f"{release}-storage", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": f"{release}-storage", "mountPath": "/data"})
    if "tensorParallelSize" in (model.get("vllmConfig") or {}):
        memory = {"medium": "Memory", "sizeLimit": str(model.get("shmSize") or "20Gi")}
        volumes.append({"name": "shm", "emptyDir": memory})
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})
    if mounts:
        engine["volumeMounts"] = mounts
    spec |= {"containers": [engine], **({"volumes": volumes} if volumes else {})}
    runtime = model.get("runtimeClassName", common.get("runtimeClassName", "nvidia"))
    if runtime:
        spec["runtimeClassName"] = runtime
    if isinstance(common.get("securityContext"), Mapping):
        spec["securityContext"] = common["securityContext"]
    if tolerations := [*(common.get("tolerations") or []), *(model.get("tolerations") or [])]:
        spec["tolerations"] = tolerations
    if model.get("imagePullSecret"):
        spec["imagePullSecrets"] = [{"name": model["imagePullSecret"]}]
    if isinstance(model.get("affinity"), Mapping):
        spec["affinity"] = model["affinity"]
    elif terms := model.get("nodeSelectorTerms"):
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        spec["affinity"] = {"nodeAffinity": required}
    return spec


def llm_d(values: Manifest, release: str) -> list[Workload]:
    """The decode pods of llm-d's modelservice. Raises NotAdoptable when there are none."""
    artifacts, decode = values["modelArtifacts"], values.get("decode") or {}
    containers = [deepcopy(c) for c in decode.get("containers") or [] if isinstance(c, dict)]
    if not containers or decode.get("create") is False:
        raise NotAdoptable("llm-d values: decode has no containers")
    notes: list[Note] = [_EXACT]
    if values.get("multinode"):
        notes.append(Note("multinode", "is not kept: a replica here is one pod"))
    prefill = values.get("prefill") or {}
    if prefill.get("create", bool(prefill)) and prefill.get("replicas", 1):
        notes.append(Note("prefill", "is not kept: replicas here prefill and decode"))
    name = str(artifacts.get("name") or "")
    engine = first_map(containers)
    proxy = (values.get("routing") or {}).get("proxy") or {}
    port = (
        proxy.get("targetPort", 8200)
        if proxy.get("enabled", True)
        else (values.get("routing") or {}).get("servicePort", 8000)
    )
    if proxy.get("enabled", True):
        notes.append(Note("routing.proxy", "its sidecar is not kept: lead the InferencePool to the engine's port"))
    spec: Manifest = {k: deepcopy(v) for k, v in decode.items() if k in _KEPT_OF_DECODE and v}
    _llm_d_model(engine, artifacts, decode, spec, str(port), notes)
    spec["containers"] = containers
    labels = texts(artifacts.get("labels")) | {"llm-d.ai/role": "decode"}
    template: Manifest = {
        "metadata": {"labels": labels, "annotations": texts(decode.get("podAnnotations"))},
        "spec": spec,
    }
    replicas = decode.get("replicas")
    return [
        Workload(
            kind="llm-d decode",
            name=f"{release}-{name.rpartition('/')[2]}-decode",
            replicas=replicas if isinstance(replicas, int) else 1,
            template=template,
            engine=engine_of(template, "llm-d values: decode"),
            labels={},
            annotations=texts(decode.get("annotations")),
            notes=tuple(notes),
        )
    ]


_KEPT_OF_DECODE = frozenset(
    [
        "volumes",
        "nodeSelector",
        "tolerations",
        "affinity",
        "initContainers",
        "terminationGracePeriodSeconds",
        "priorityClassName",
        "schedulerName",
        "enableServiceLinks",
        "resourceClaims",
        "hostIPC",
        "hostPID",
        "topologySpreadConstraints",
    ]
)


def _llm_d_model(
    engine: Manifest,
    artifacts: Mapping[str, Any],
    decode: Mapping[str, Any],
    spec: Manifest,
    port: str,
    notes: list[Note],
) -> None:
    """What the chart adds to the first container: command, GPUs, the volume of the model."""
    name, uri = str(artifacts.get("name") or ""), str(artifacts.get("uri") or "")
    command = engine.pop("modelCommand", "custom")
    mounted = engine.pop("mountModelVolume", False)
    scheme, _, rest = uri.partition("://")
    folder = str(artifacts.get("mountPath") or "/model-cache")
    tensor = int((decode.get("parallelism") or {}).get("tensor") or 1)
    parallel = ["--tensor-parallel-size", str(tensor)] if tensor > 1 else []
    model = f"{folder}/{rest.partition('/')[2]}" if scheme == "pvc" else name
    if command == "vllmServe":
        engine["command"] = ["vllm", "serve"]
        own = [model, "--port", port, *parallel, "--served-model-name", name]
        engine["args"] = [*own, *map(str, engine.get("args") or [])]
    if tensor:
        limits = (engine.setdefault("resources", {})).setdefault("limits", {})
        if not any("/" in key for key in limits):
            limits["nvidia.com/gpu"] = str(tensor)
            engine["resources"].setdefault("requests", {})["nvidia.com/gpu"] = str(tensor)
    if mounted:
        claim = {"persistentVolumeClaim": {"claimName": rest.partition("/")[0]}} if scheme.startswith("pvc") else {}
        volume = {
            "name": "model-storage",
            **(claim or {"emptyDir": {"sizeLimit": str(artifacts.get("size") or "5Mi")}}),
        }
        spec["volumes"] = [*(spec.get("volumes") or []), volume]
        mount = {"name": "model-storage", "mountPath": folder}
        engine["volumeMounts"] = [*(engine.get("volumeMounts") or []), mount]
        if scheme == "hf":
            engine["env"] = [*(engine.get("env") or []), {"name": "HF_HOME", "value": folder}]
    if artifacts.get("authSecretName"):
        reference = {"name": artifacts["authSecretName"], "key": "HF_TOKEN"}
        engine["env"] = [*(engine.get("env") or []), {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}]
    if "{{" in name + rest.replace("{{ .Values.modelArtifacts.name }}", ""):
        notes.append(Note("modelArtifacts", "holds a template of Helm: adopt what `helm template` makes of it"))
