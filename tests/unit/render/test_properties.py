"""Whatever passes validation renders or is refused by name; the same input gives the same output everywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from breakeven.api.spec import AcceptanceMethod, DraftMethod, KVCacheDtype, Quantization
from breakeven.api.status import Role
from breakeven.api.variant import Variant
from breakeven.domain.decision import Placement
from breakeven.engines import load
from breakeven.render import Owner, desired

OWNER = Owner(name="llama", namespace="inference")
RELEASES = (*load().releases, "0.5.4", "0.12.1", "0.34.0", "0.11.0rc1")
FLAGS = [*sorted(load().every_name("flags")), "-tp", "-q", "--spec", "--x.y=1", "loose", "--max-num-seqs=8", "--"]
PATHS = st.sampled_from(["/models/draft", "org/EAGLE3-head", "org/dspark", "meta-llama/Llama-3.2-1B", "-x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=6,
)
CONTAINER = st.fixed_dictionaries(
    {"name": st.sampled_from(["engine", "sidecar"])},
    optional={"env": JSON, "args": JSON, "resources": JSON, "volumeMounts": JSON, "tty": JSON},
)
POD_SPEC = st.fixed_dictionaries(
    {},
    optional={
        "containers": st.lists(CONTAINER, max_size=2) | JSON,
        "volumes": JSON,
        "tolerations": JSON,
        "nodeSelector": JSON,
        "securityContext": JSON,
        "restartPolicy": JSON,
    },
)
POD_TEMPLATE = st.none() | st.fixed_dictionaries({}, optional={"metadata": JSON, "spec": POD_SPEC | JSON, "x": JSON})
DRAFT = st.fixed_dictionaries(
    {"method": st.sampled_from([m.value for m in DraftMethod])},
    optional={
        "model": PATHS,
        "revision": st.just("main"),
        "quantization": st.sampled_from([q.value for q in Quantization]),
        "numSpeculativeTokens": st.integers(1, 128),
        "disableAboveBatchSize": st.integers(2, 5000),
        "promptLookupMax": st.integers(1, 10),
        "promptLookupMin": st.integers(1, 10),
        "acceptance": st.fixed_dictionaries(
            {"method": st.sampled_from([m.value for m in AcceptanceMethod]), "allowLossy": st.booleans()},
            optional={"threshold": st.just("0.1"), "alpha": st.just("0.3")},
        ),
    },
)
BODY = st.fixed_dictionaries(
    {
        "engine": st.fixed_dictionaries(
            {"image": st.sampled_from([f"vllm/vllm-openai:v{r}" for r in RELEASES] + ["vllm:latest", "v:1"])},
            optional={
                "extraArgs": st.lists(st.sampled_from(FLAGS) | st.text(max_size=6), max_size=3),
                "env": st.just([{"name": "VLLM_USE_V1", "value": "1"}]),
            },
        ),
        "target": st.fixed_dictionaries(
            {"model": PATHS},
            optional={
                "quantization": st.sampled_from([q.value for q in Quantization]),
                "kvCacheDtype": st.sampled_from([d.value for d in KVCacheDtype]),
                "maxModelLen": st.integers(16, 10_000),
            },
        ),
    },
    optional={"draft": DRAFT, "podTemplate": POD_TEMPLATE, "hardware": st.just({"gpusPerReplica": 4})},
)


def parsed(body: dict[str, Any]) -> Variant | None:
    try:
        return Variant.model_validate(body)
    except ValidationError:
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(BODY)
def test_whatever_passes_validation_renders_or_is_refused_by_name(body: dict[str, Any]) -> None:
    variant = parsed(body)
    if variant is None:
        return
    rendering = desired(OWNER, [Placement(variant=variant, role=Role.STABLE, replicas=1)])

    assert bool(rendering.refusals) != bool(rendering.deployments)
    assert all(r.field and r.message for r in rendering.refusals)
    json.dumps(rendering.objects)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(BODY)
def test_rendering_twice_gives_the_same(body: dict[str, Any]) -> None:
    first, again = parsed(body), parsed(json.loads(json.dumps(body)))
    if first is None or again is None:
        return
    placements = [[Placement(variant=v, role=Role.STABLE, replicas=1)] for v in (first, again)]

    assert first.name == again.name
    assert desired(OWNER, placements[0]) == desired(OWNER, placements[1])


def test_hash_and_objects_are_the_same_in_every_process() -> None:
    package = Path(sys.modules["breakeven"].__path__[0])
    sample = Path(__file__).parents[3] / "manifests" / "samples" / "llama-70b-draft-model.yaml"
    command = [sys.executable, "-m", "breakeven", "render", "-f", str(sample), "-o", "json"]
    outputs = {
        subprocess.run(
            command,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(package.parent)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }

    assert len(outputs) == 1
    assert len(json.loads(outputs.pop())["items"]) == 3
