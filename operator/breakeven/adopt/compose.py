"""A compose file and a bare command line, as the pods they would be."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from breakeven.adopt.notes import NotAdoptable, Note
from breakeven.adopt.started import runs_vllm
from breakeven.adopt.workload import Manifest, Workload, engine_of

_READ = frozenset(
    [
        "image",
        "command",
        "entrypoint",
        "environment",
        "volumes",
        "ports",
        "deploy",
        "ipc",
        "shm_size",
        "container_name",
        "restart",
        "healthcheck",
        "runtime",
        "gpus",
        "networks",
        "depends_on",
        "labels",
        "hostname",
        "pull_policy",
    ]
)
_SIZE = re.compile(r"([0-9.]+)\s*([kmgt]?)i?b?$", re.IGNORECASE)
_INTERPOLATED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}")


def services(document: Manifest) -> list[Workload]:
    """Every service of a compose file that runs vLLM. Raises NotAdoptable when none does."""
    found = []
    for name, service in document["services"].items():
        if isinstance(service, dict):
            container, notes = _container(str(name), service)
            if runs_vllm(container):
                found.append(_workload(str(name), service, container, notes))
    if not found:
        names = ", ".join(map(str, document["services"])) or "none"
        raise NotAdoptable(f"compose: none of its services ({names}) runs vLLM")
    return found


def command_line(words: Sequence[str], *, name: str = "vllm") -> Workload:
    """A command line as it is typed: `vllm serve …`, the old entry point, or `docker run … IMAGE …`.

    Raises
    ------
    NotAdoptable
        If it starts no vLLM.
    """
    words = [w for w in words if w.strip()]
    if words[:1] in (["sudo"],):
        words = words[1:]
    if len(words) > 1 and words[0] in ("docker", "podman", "nerdctl") and words[1] == "run":
        return _docker(words[2:], name)
    container: Manifest = {"name": "vllm", "command": list(words)}
    notes = [Note("resources", "a command line names no GPUs: look at spec.hardware")]
    gpus = _tensor(words)
    container["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    return _workload(name, {}, container, notes)


_SWITCHES = frozenset({"-d", "-it", "-i", "-t", "--rm", "--privileged", "--init", "-dit", "-itd", "-ti", "--detach"})


def _docker(words: Sequence[str], name: str) -> Workload:
    """`docker run` as the compose service that it is."""
    service: dict[str, Any] = {"environment": [], "volumes": [], "ports": []}
    notes: list[Note] = []
    rest = list(words)
    while rest and rest[0].startswith("-"):
        flag, equals, value = rest.pop(0).partition("=")
        if flag in _SWITCHES:
            continue
        if not equals:
            value = rest.pop(0) if rest else ""
        match flag:
            case "-e" | "--env":
                service["environment"].append(value)
            case "-v" | "--volume":
                service["volumes"].append(value)
            case "-p" | "--publish":
                service["ports"].append(value)
            case "--gpus":
                service["gpus"] = value
            case "--shm-size":
                service["shm_size"] = value
            case "--ipc":
                service["ipc"] = value
            case "--entrypoint":
                service["entrypoint"] = [value]
            case "--name":
                name = value
            case "--runtime" | "--restart" | "--network" | "--net":
                pass
            case _:
                notes.append(Note(f"{flag} {value}".strip(), "of docker run is not kept"))
    if not rest:
        raise NotAdoptable("docker run: it names no image")
    service |= {"image": rest[0], "command": rest[1:]}
    container, more = _container(name, service)
    return _workload(name, service, container, [*notes, *more])


def _workload(name: str, service: Mapping[str, Any], container: Manifest, notes: list[Note]) -> Workload:
    spec: Manifest = {"containers": [container]}
    if volumes := container.pop("_volumes", None):
        spec["volumes"] = volumes
    template: Manifest = {"metadata": {}, "spec": spec}
    replicas = ((service.get("deploy") or {}).get("replicas")) or 1
    kind = "compose service" if service else "command line"
    return Workload(
        kind=kind,
        name=name,
        replicas=replicas if isinstance(replicas, int) else 1,
        template=template,
        engine=engine_of(template, f"{kind} {name}"),
        labels={},
        annotations={},
        notes=tuple(notes),
    )


def _container(name: str, service: Mapping[str, Any]) -> tuple[Manifest, list[Note]]:
    notes = [Note(f"services.{name}.{key}", "is not kept") for key in service if key not in _READ]
    container: Manifest = {"name": "vllm", "image": _filled(str(service.get("image") or ""), notes)}
    for key, to in (("entrypoint", "command"), ("command", "args")):
        value = service.get(key)
        words = shlex.split(value) if isinstance(value, str) else [str(w) for w in value or []]
        if words:
            container[to] = [_filled(word, notes).replace("$$", "$") for word in words]
    container["env"] = _environment(service.get("environment") or [], notes)
    volumes, mounts = _volumes(service.get("volumes") or [], notes)
    if service.get("shm_size"):
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": _size(service["shm_size"])}})
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})
    if mounts:
        container["volumeMounts"], container["_volumes"] = mounts, volumes
    gpus = _gpus(service, [*container.get("command", []), *container.get("args", [])], notes)
    container["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    for port in service.get("ports") or []:
        notes.append(Note(f"ports {port}", "is not published: a Service of the cluster stands in front"))
    return container, notes


def _environment(given: Any, notes: list[Note]) -> list[Manifest]:
    pairs = (
        [(str(k), v) for k, v in given.items()]
        if isinstance(given, Mapping)
        else [(str(item).partition("=")[0], str(item).partition("=")[2] or None) for item in given]
    )
    env = []
    for name, value in pairs:
        if value is None:
            notes.append(Note(f"environment {name}", "takes its value from the shell: write it in engine.env"))
        elif name in ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
            notes.append(Note(f"environment {name}", "is not kept: Kubernetes gives a pod its GPUs"))
        else:
            env.append({"name": name, "value": _filled(str(value), notes, name=name)})
    return env


def _filled(text: str, notes: list[Note], *, name: str = "") -> str:
    """`${NAME:-default}` of compose by its default; what has none is named."""

    def value(match: re.Match[str]) -> str:
        if match[2] is not None:
            return match[2]
        if name != match[1]:  # NAME=${NAME} is said where it is a credential
            notes.append(Note(f"${{{match[1]}}}", "has no value here: write it"))
        return match[0]

    return _INTERPOLATED.sub(value, text)


def _volumes(given: Sequence[Any], notes: list[Note]) -> tuple[list[Manifest], list[Manifest]]:
    """Folders of the host and named volumes become claims, to be made; nothing is mounted from a node."""
    volumes: list[Manifest] = []
    mounts: list[Manifest] = []
    for place, item in enumerate(given):
        if isinstance(item, Mapping):
            source, target, mode = str(item.get("source") or ""), str(item.get("target") or ""), item.get("read_only")
        else:
            source, target, *modes = [*str(item).rsplit(":", 2 if str(item).endswith((":ro", ":rw")) else 1), ""]
            mode = "ro" in modes
        if not target:
            notes.append(Note(f"volumes {item}", "is not kept: it names no source"))
            continue
        claim = re.sub(r"[^a-z0-9]+", "-", source.lower().rpartition("/")[2]).strip("-") or f"volume-{place}"
        notes.append(
            Note(f"volumes {source}", f"becomes the claim {claim}: make it with the same content, or name another one")
        )
        volumes.append({"name": claim, "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": claim, "mountPath": target} | ({"readOnly": True} if mode else {}))
    return volumes, mounts


def _gpus(service: Mapping[str, Any], words: Sequence[str], notes: list[Note]) -> int:
    """GPUs of one replica: as many as are reserved; of `all` those that tensor parallelism takes."""
    reserved = (((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}).get("devices") or []
    asked = next((d.get("count") or len(d.get("device_ids") or []) for d in reserved if isinstance(d, Mapping)), None)
    text = str(asked if asked is not None else service.get("gpus") or "")
    if text.isdigit() and int(text):
        return int(text)
    if found := re.search(r"device=([0-9,]+)", text):
        return len(found[1].split(","))
    gpus = _tensor(words)
    notes.append(
        Note("GPUs", f"{text or 'none'} are asked for, which is no number: {gpus} is taken, see spec.hardware")
    )
    return gpus


def _tensor(words: Sequence[str]) -> int:
    text = " ".join(words)
    found = re.search(r"(?:--tensor[-_]parallel[-_]size|-tp)[ =]([0-9]+)", text)
    return int(found[1]) if found else 1


def _size(value: Any) -> str:
    match = _SIZE.match(str(value).strip())
    unit = {"": "", "k": "Ki", "m": "Mi", "g": "Gi", "t": "Ti"}
    if match is None:
        return "16Gi"
    number = match[1]
    if "." in number:  # quantities with a fraction of a power of two are written in the next smaller unit
        smaller = {"g": ("Mi", 1024), "t": ("Gi", 1024), "m": ("Ki", 1024)}.get(match[2].lower(), ("", 1))
        return f"{int(float(number) * smaller[1])}{smaller[0]}"
    return f"{number}{unit[match[2].lower()]}"
