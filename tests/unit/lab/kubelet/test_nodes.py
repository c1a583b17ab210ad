"""What a fake node says about itself."""

from breakeven.lab.kubelet.nodes import expand, node_manifest
from breakeven.lab.settings import H200, NodeSettings


def test_a_gpu_node_has_labels_taint_capacity_and_is_ready() -> None:
    node = node_manifest("h200", NodeSettings(name="h200", product=H200, gpus=4, labels={"zone": "a"}), "127.64.0.1")
    labels = node["metadata"]["labels"]
    assert labels["nvidia.com/gpu.product"] == "NVIDIA-H200"
    assert labels["nvidia.com/gpu.memory"] == "143771"
    assert labels["zone"] == "a"
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "4"
    assert node["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}]
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"


def test_a_node_without_gpus_has_neither_label_nor_taint() -> None:
    node = node_manifest("cpu", NodeSettings(name="cpu", gpus=0), "127.64.0.1")
    assert not any(label.startswith("nvidia.com") for label in node["metadata"]["labels"])
    assert "taints" not in node["spec"]
    assert "nvidia.com/gpu" not in node["status"]["capacity"]


def test_a_count_makes_numbered_nodes() -> None:
    names = [name for name, _ in expand((NodeSettings(name="a"), NodeSettings(name="b", count=2)))]
    assert names == ["a", "b-0", "b-1"]
