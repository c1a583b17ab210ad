"""Real GPUs go to one pod at a time, as a device plugin hands them out."""

from breakeven.lab.kubelet.gpus import Gpus, variables, wanted


def test_each_gpu_goes_to_one_pod_at_a_time() -> None:
    gpus = Gpus({"h100": ("0", "1"), "fake": ()})

    first = gpus.take("h100", 1)
    second = gpus.take("h100", 1)

    assert (first, second) == (["0"], ["1"])
    assert gpus.take("h100", 1) is None
    assert gpus.take("h100", 0) == []
    gpus.give_back("h100", ["0"])
    assert gpus.take("h100", 1) == ["0"]


def test_a_node_without_real_gpus_hands_out_none_and_says_nothing() -> None:
    assert not Gpus({"fake": ()}).has("fake")
    assert not Gpus({}).has("other")


def test_a_container_without_gpus_sees_none() -> None:
    assert wanted({"name": "proxy"}) == 0
    assert wanted({"name": "engine", "resources": {"limits": {"nvidia.com/gpu": "2"}}}) == 2
    assert variables([]) == {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}
    assert variables(["2", "3"])["CUDA_VISIBLE_DEVICES"] == "2,3"
