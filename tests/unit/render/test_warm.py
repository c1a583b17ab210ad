"""Warm replicas: what their pods are made of, what moves them, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from breakeven.api.names import SWITCHING
from breakeven.api.variant import Variant
from breakeven.render.names import Owner
from breakeven.render.warm import WarmObjects, WarmSettings, warm_name, warm_objects

GOLDEN = Path(__file__).parents[2] / "golden" / "render"
OWNER = Owner(name="llama", namespace="inference", uid="0000-1111")
SETTINGS = WarmSettings(token_sha256="ab" * 32, host_memory_bytes=40 << 30, gpu_memory_bytes=80 << 30)
EAGLE = {"method": "Eagle3", "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "numSpeculativeTokens": 3}


def variant(release: str = "0.26.0", draft: dict[str, Any] | None = None, **more: Any) -> Variant:
    body: dict[str, Any] = {
        "engine": {"image": f"vllm/vllm-openai:v{release}", **more.pop("engine", {})},
        "target": {"model": "meta-llama/Llama-3.1-8B-Instruct", "servedName": "llama"},
        "hardware": {"gpusPerReplica": 1},
        **more,
    }
    if draft is not None:
        body["draft"] = draft
    return Variant.model_validate(body)


def made(*held: Variant, settings: WarmSettings = SETTINGS) -> WarmObjects:
    found = warm_objects(OWNER, held, replicas=2, settings=settings)
    assert found.refusals == ()
    return found


def slots(found: WarmObjects) -> dict[str, Any]:
    assert found.slots is not None
    content: dict[str, Any] = json.loads(found.slots["data"]["slots.json"])
    return content


def refused(*held: Variant, **settings: Any) -> str:
    found = warm_objects(OWNER, held, replicas=1, settings=replace(SETTINGS, **settings))
    assert found.objects == ()
    return "; ".join(map(str, found.refusals))


@pytest.mark.parametrize(("name", "release", "draft"), [("pair", "0.26.0", EAGLE), ("alone", "0.33.0", None)])
def test_objects_are_those_on_record(request: pytest.FixtureRequest, name: str, release: str, draft: Any) -> None:
    held = [variant(release), *([variant(release, draft)] if draft else [])]
    objects = made(*held).objects
    for manifest in objects:
        if manifest.get("immutable"):
            # Their text is in the repository already, and its hash would change this file with every comment.
            manifest["data"] = dict.fromkeys(manifest["data"], "…")
            programs = manifest["metadata"]["name"]
    text = yaml.safe_dump_all(objects, sort_keys=False, width=120, allow_unicode=True).replace(programs, "PROGRAMS")
    golden = GOLDEN / f"warm-{name}.yaml"
    if request.config.getoption("--update-golden"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_another_candidate_first_variant_or_token_moves_no_pod() -> None:
    plain, draft = variant(), variant(draft=EAGLE)
    one = made(plain, draft)
    for other in (
        made(plain),
        made(draft, plain),
        made(plain, variant(draft=EAGLE | {"numSpeculativeTokens": 5})),
        made(plain, draft, settings=replace(SETTINGS, token_sha256="cd" * 32)),
    ):
        assert other.deployment == one.deployment
        assert other.revision != one.revision
        assert slots(other)["revision"] == other.revision


def test_engines_get_their_own_arguments_sleep_mode_and_a_little_less_memory() -> None:
    content = slots(made(variant(), variant(draft=EAGLE)))
    plain, draft = content["variants"]
    for engine in (plain, draft):
        assert engine["argv"][:3] == ["vllm", "serve", "meta-llama/Llama-3.1-8B-Instruct"]
        assert "--enable-sleep-mode" in engine["argv"]
        assert "--gpu-memory-utilization=0.903" in engine["argv"]  # 0.92 less 1,331 MiB of 80 GiB
        assert not any(part.startswith(("--port", "--host")) for part in engine["argv"])
    assert any(part.startswith("--speculative-config=") for part in draft["argv"])
    assert (plain["speculates"], draft["speculates"]) == (False, True)
    assert content["first"] == plain["variant"]


def test_developer_mode_is_for_the_engines_alone() -> None:
    found = made(variant(), variant(draft=EAGLE))
    assert "VLLM_SERVER_DEV_MODE" not in json.dumps([found.deployment, found.slots])


def test_a_plain_deployment_of_the_same_variant_selects_other_pods() -> None:
    deployment = made(variant()).deployment
    assert deployment is not None
    assert deployment["spec"]["selector"]["matchLabels"][SWITCHING] == "Warm"
    assert deployment["spec"]["template"]["metadata"]["labels"][SWITCHING] == "Warm"
    assert deployment["metadata"]["name"] == warm_name(OWNER, variant())


def test_overrides_of_the_pod_reach_the_supervisors_container() -> None:
    spec = {"priorityClassName": "high", "containers": [{"name": "engine", "resources": {"requests": {"cpu": "8"}}}]}
    deployment = made(variant(podTemplate={"spec": spec})).deployment
    assert deployment is not None
    pod = deployment["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "high"
    assert pod["containers"][0]["resources"]["requests"] == {
        "nvidia.com/gpu": "1",
        "memory": str(40 << 30),
        "cpu": "8",
    }


def test_engines_without_sleep_mode_that_waits_are_refused_with_those_that_have_it() -> None:
    assert "0.18.0 and newer" in refused(variant("0.12.0"))
    assert "policy.switching.mode" in refused(variant("0.9.2"))


@pytest.mark.parametrize(
    ("flags", "gpus", "named"),
    [
        (["--pipeline-parallel-size=2"], 2, "--pipeline-parallel-size"),
        (["--data-parallel-size", "2"], 2, "--data-parallel-size"),
        (['--kv-transfer-config={"kv_connector":"x"}'], 1, "--kv-transfer-config"),
        (["--api-key=k"], 1, "VLLM_API_KEY"),
    ],
)
def test_what_sleep_mode_was_not_seen_with_is_refused_by_name(flags: list[str], gpus: int, named: str) -> None:
    hardware = {"gpusPerReplica": gpus, "tensorParallelSize": 1}
    assert named in refused(variant(engine={"extraArgs": flags}, hardware=hardware))


def test_a_memory_limit_below_the_weights_of_both_is_refused_with_the_figure() -> None:
    def limited(memory: str) -> Variant:
        container = {"name": "engine", "resources": {"limits": {"memory": memory}}}
        return variant(podTemplate={"spec": {"containers": [container]}})

    assert "write at least 40Gi" in refused(limited("32Gi"))
    assert made(limited("64Gi")).deployment is not None


def test_variants_that_differ_in_more_than_the_draft_are_refused() -> None:
    assert "nothing but the draft" in refused(variant("0.26.0"), variant("0.33.0"))
    assert "one or two variants" in refused()
