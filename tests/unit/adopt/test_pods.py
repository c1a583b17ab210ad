"""What stands around the engine: kept as it is, moved with a note, or named."""

from typing import Any

import pytest

from breakeven.adopt import Choices, adopt, read


def deployment(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    engine = {"name": "vllm", "image": "vllm/vllm-openai:v0.24.0", "command": ["vllm", "serve", "m"]}
    engine["resources"] = {"limits": {"nvidia.com/gpu": 1}}  # type: ignore[assignment]
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [engine | (container or {})], **spec}}
    return {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 2, "template": template}}


def adopted(*documents: dict[str, Any], **choices: Any) -> tuple[dict[str, Any], str]:
    workloads, services = read(documents)
    made = adopt(workloads[0], Choices(**choices), services)
    return made.resource["spec"], "\n".join(map(str, made.notes))


def test_what_the_api_server_filled_in_is_not_written_down() -> None:
    filled = {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    pod = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler"}
    pod |= {"securityContext": {}, "terminationGracePeriodSeconds": 30}  # type: ignore[dict-item]
    assert adopted(deployment(filled, **pod))[0]["podTemplate"] == {"metadata": {"labels": {"app": "a"}}}


def test_nodes_are_chosen_as_before_and_by_nothing_else() -> None:
    assert adopted(deployment())[0]["hardware"] == {"nodeSelector": {}}
    chosen = {"nvidia.com/gpu.product": "NVIDIA-H200"}
    assert adopted(deployment(nodeSelector=chosen))[0]["hardware"] == {"nodeSelector": chosen, "accelerators": ["H200"]}


def test_a_probe_of_another_kind_takes_the_place_of_the_rendered_one() -> None:
    spec, _ = adopted(deployment({"readinessProbe": {"tcpSocket": {"port": 8000}}}))
    probe = spec["podTemplate"]["spec"]["containers"][0]["readinessProbe"]
    assert probe == {"tcpSocket": {"port": 8000}, "httpGet": {"$patch": "delete"}}


def test_volumes_of_our_names_are_renamed_and_a_shared_memory_of_theirs_is_the_only_one() -> None:
    volumes = [{"name": "cache", "emptyDir": {}}, {"name": "dshm", "emptyDir": {"medium": "Memory"}}]
    mounts = [{"name": "cache", "mountPath": "/models"}, {"name": "dshm", "mountPath": "/dev/shm"}]
    spec, _ = adopted(deployment({"volumeMounts": mounts}, volumes=volumes))
    pod = spec["podTemplate"]["spec"]
    assert [v["name"] for v in pod["volumes"]] == ["cache-0", "dshm", "shm"]
    assert pod["volumes"][-1] == {"name": "shm", "$patch": "delete"}
    assert pod["containers"][0]["volumeMounts"][0]["name"] == "cache-0"


def test_root_is_kept_on_demand_with_its_folders() -> None:
    mounts = [{"name": "hf", "mountPath": "/root/.cache/huggingface"}]
    original = deployment({"volumeMounts": mounts}, volumes=[{"name": "hf", "emptyDir": {}}])
    moved, notes = adopted(original)
    assert moved["podTemplate"]["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] == "/cache/huggingface"
    assert "user 2000" in notes
    kept, notes = adopted(original, as_root=True)
    pod = kept["podTemplate"]["spec"]
    assert pod["securityContext"] == pod["containers"][0]["securityContext"] == {"$patch": "delete"}
    assert pod["containers"][0]["volumeMounts"] == mounts
    assert {"name": "HF_HOME", "value": "/root/.cache/huggingface"} in kept["engine"]["env"]
    assert "BREAKEVEN_POD_TEMPLATE_DENY" in notes


def test_a_sidecar_of_the_engines_name_is_renamed() -> None:
    original = deployment()
    original["spec"]["template"]["spec"]["containers"].append({"name": "engine", "image": "proxy"})
    spec, notes = adopted(original)
    assert [c["name"] for c in spec["podTemplate"]["spec"]["containers"]] == ["engine-0"]
    assert "is called engine-0 now" in notes


@pytest.mark.parametrize(
    ("port", "said"),
    [({"targetPort": 9999}, "its targetPort is 9999"), ({"targetPort": "web"}, "its targetPort is web"), ({}, "")],
)
def test_a_service_that_would_not_reach_the_new_pods_is_named(port: dict[str, Any], said: str) -> None:
    service = {"kind": "Service", "metadata": {"name": "front"}, "spec": {"selector": {"app": "a"}, "ports": []}}
    service["spec"]["ports"] = [{"port": 8000, **port}]  # type: ignore[index]
    spec, notes = adopted(deployment(), service)
    assert spec["service"] == {"enabled": False}
    assert said in notes
    assert ("Service front" in notes) == bool(said)


def test_gpus_are_those_that_the_arguments_use() -> None:
    four = {"resources": {"limits": {"nvidia.com/gpu": 4}}}
    spec, notes = adopted(deployment(four))
    assert spec["hardware"] == {"nodeSelector": {}}
    assert "GPUs: 4 are asked for, and the arguments use 1" in notes
    split = four | {"command": ["vllm", "serve", "m", "-tp", "2", "--pipeline-parallel-size=2"]}
    spec, notes = adopted(deployment(split))
    assert spec["hardware"] == {"nodeSelector": {}, "gpusPerReplica": 4, "tensorParallelSize": 2}
    assert "GPUs" not in notes
    mig, _ = adopted(deployment({"resources": {"limits": {"nvidia.com/mig-3g.40gb": 1}}}))
    assert mig["hardware"]["resource"] == "nvidia.com/mig-3g.40gb"


def test_a_duplicate_variable_counts_as_kubernetes_counts_it() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": 2}, {"name": "B"}]
    spec, _ = adopted(deployment({"env": env}))
    assert spec["engine"]["env"] == [{"name": "A", "value": "2"}, {"name": "B", "value": ""}]
