"""A support bundle has what is needed and no secret, wherever one was put."""

import io
import json
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fake_kubectl import Cluster, resource
from tests.support.reports import full_reports

from breakeven.api.status import State
from breakeven.plugin.bundle import collected, packed, write
from breakeven.plugin.errors import PluginError
from breakeven.plugin.kubectl import Where
from breakeven.plugin.redact import REDACTED, Redactor
from breakeven.plugin.resources import read

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PLANTED = {
    "in an environment variable": "hunter2-in-env-of-the-engine",
    "in spec.engine.env": "another-value-9f8e7d",
    "behind a flag": "flag-value-55aa55aa",
    "behind it again": "second-key-of-the-same-flag",
    "after =": "equals-value-66bb66bb",
    "in a header": "probe-header-value-1",
    "under a telling name": "field-value-77cc77cc",
    "in an address": "user:pa55word-in-url",
    "a bearer": "abcdef0123456789.tok",
    "of a hub": "hf_AbCdEfGhIjKlMnOpQrStUv",
    "a web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "of a cloud": "AKIAIOSFODNN7EXAMPLE",
    "in a log line": "logged-secret-88dd",
}
P = PLANTED
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


def pod(name: str, namespace: str, *, restarts: int = 0) -> dict[str, Any]:
    engine = {
        "name": "engine",
        "image": "vllm/vllm-openai:v0.33.0",
        "env": [
            {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}},
            {"name": "INNOCENT", "value": P["in an environment variable"]},
            {"name": "LEVEL", "value": "INFO"},
        ],
        "args": [
            "--model", "m", "--max-num-batched-tokens", "8192", "--api-key", P["behind a flag"], P["behind it again"],
            "--hf-token=" + P["after ="], "--tokenizer", "meta-llama/tokenizer",
        ],
        "readinessProbe": {"httpGet": {"httpHeaders": [{"name": "X", "value": P["in a header"]}]}},
    }  # fmt: skip
    metadata = {
        "name": name,
        "namespace": namespace,
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(P)},
        "managedFields": [{"manager": "x"}],
    }
    status = {
        "containerStatuses": [{"restartCount": restarts}],
        "message": f"crashed with {P['in an environment variable']} and Bearer {P['a bearer']}",
    }
    return {
        "metadata": metadata,
        "spec": {"containers": [engine], "serviceAccountToken": P["under a telling name"]},
        "status": status,
    }


def cluster() -> Cluster:
    body = resource(full_reports(resource()["spec"])[State.SPECULATING])
    body["spec"]["engine"]["env"] = [{"name": "EXTRA", "value": P["in spec.engine.env"]}]
    memory = json.loads(body["status"]["memory"])
    memory["stable"]["engine"]["env"] = [{"name": "EXTRA", "value": P["in spec.engine.env"]}]
    body["status"]["memory"] = json.dumps(memory)
    log = "\n".join(
        [
            f"connecting to https://{P['in an address']}@prom:9090/x?token={P['in a log line']}",
            f"token {P['of a hub']} {P['a web token']} {P['of a cloud']}",
            f'{{"api_key": "{P["in a log line"]}", "INNOCENT": "{P["in an environment variable"]}"}}',
            f"Authorization: Bearer {P['a bearer']}",
            KEY,
            "Promote: Switched on: 62 % faster with the draft",
        ]
    )
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"name": "llama-70b"},
        "message": f"password={P['in a log line']}",
    }
    other = {"metadata": {"name": "o"}, "involvedObject": {"name": "somebody-else"}, "message": "m"}
    return Cluster(
        resources=[body],
        objects={
            "pods": [pod("llama-70b-aa-1", "inference", restarts=1)],
            "deployments": [{"metadata": {"name": "breakeven", "namespace": "s"}, "spec": {}}],
            "podmonitors": PluginError("the server has no PodMonitors"),
            "events": [event, other],
        },
        raw={"/pods/llama-70b-aa-1:8080/proxy/metrics": "breakeven_leader 1\n"},
        logs={"llama-70b-aa-1": log},
    )


def files(world: Cluster, *, engine_logs: bool = True) -> dict[str, str]:
    kubectl, found = world.kubectl(Where()), read(world.resources[0])
    data = packed(collected(kubectl, found, engine_logs=engine_logs), found, NOW)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {m.name.partition("/")[2]: archive.extractfile(m).read().decode() for m in archive}  # type: ignore[union-attr] # all are files


def test_no_planted_secret_is_in_it_and_what_is_needed_is() -> None:
    found = files(cluster())
    everything = "\n".join(found.values())
    assert {where for where, secret in PLANTED.items() if secret in everything} == set()
    assert "MIIEowIBAAKCAQEA" not in everything and "pa55word" not in everything
    assert set(found) == {
        "README.txt", "resource.yaml", "details.json", "memory.json", "events.yaml", "versions.json",
        "objects/deployments.yaml", "objects/replicasets.yaml", "objects/services.yaml", "objects/pods.yaml",
        "objects/poddisruptionbudgets.yaml",
        "operator/deployments.yaml", "operator/pods.yaml", "operator/llama-70b-aa-1.log",
        "operator/llama-70b-aa-1.previous.log", "operator/llama-70b-aa-1.metrics",
        "engines/llama-70b-aa-1.log", "engines/llama-70b-aa-1.previous.log",
    }  # fmt: skip
    engine = yaml.safe_load(found["objects/pods.yaml"])[0]["spec"]["containers"][0]
    assert engine["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "hub", "key": "token"}
    assert engine["env"][1] == {"name": "INNOCENT", "value": REDACTED}
    assert engine["args"][2:4] == ["--max-num-batched-tokens", "8192"] and "meta-llama/tokenizer" in engine["args"]
    assert "Promote: Switched on: 62 % faster" in found["operator/llama-70b-aa-1.log"]
    assert [e["metadata"]["name"] for e in yaml.safe_load(found["events.yaml"])] == ["e"]
    assert json.loads(found["memory.json"])["stable"]["engine"]["env"] == [{"name": "EXTRA", "value": REDACTED}]
    assert yaml.safe_load(found["resource.yaml"])["spec"]["draft"]["numSpeculativeTokens"] == 5


def test_logs_of_engines_are_in_it_only_when_asked_for() -> None:
    assert not [name for name in files(cluster(), engine_logs=False) if name.startswith("engines/")]


def test_what_cannot_be_had_is_named_and_costs_nothing_else() -> None:
    world = cluster()
    world.objects |= {"pods": PluginError("forbidden: pods"), "events": PluginError("token=abcdefgh is wrong")}
    found = files(world)
    assert "not there: pods.*: forbidden".replace(".*", "") in found["README.txt"]
    assert "not there: podmonitors.monitoring.coreos.com: the server has no PodMonitors" in found["README.txt"]
    assert "abcdefgh" not in found["README.txt"]
    assert "resource.yaml" in found


def test_it_is_for_its_user_only_and_writes_over_nothing(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    write(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(PluginError, match="there already"):
        write(path, b"y")
    assert path.read_bytes() == b"x"
    with pytest.raises(PluginError, match="cannot be written"):
        write(tmp_path / "no" / "b.tar.gz", b"x")


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=8, max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_a_value_that_was_taken_out_is_nowhere_in_any_text(value: str, before: str, after: str) -> None:
    redactor = Redactor()
    shown = redactor.object({"env": [{"name": "A", "value": value}]})
    assert shown == {"env": [{"name": "A", "value": REDACTED}]}
    assert value == REDACTED or value in REDACTED or value not in redactor.text(f"{before} {value} {after}")


@pytest.mark.parametrize(
    "line",
    [
        "breakeven_pass_seconds_sum 1.5",
        "took 8192 max_tokens=128 tokens: 64, numSpeculativeTokens: 5",
        "the token file /var/run/token cannot be read",
        "Accepted 63 %, needs 26 %. S 1.616 [1.46, 1.79]",
        "http://prometheus.monitoring.svc:9090/api/v1/query",
        "secretName: hub-token",
    ],
)
def test_what_is_no_secret_is_left(line: str) -> None:
    assert Redactor().text(line) == line


@pytest.mark.parametrize(
    "thing", [None, 1, True, [], {}, [[["a"]]], {"env": None}, {"env": "x"}, {"env": ["x", {}]}, {"details": "{"}]
)
def test_odd_shapes_are_taken_as_they_are(thing: Any) -> None:
    assert Redactor().object(thing) == thing
