"""What `breakeven render` prints, as Kubernetes sees it: against the schemas of the real API server, and by a dry run.

Every sample, for releases of every era that can serve it, and one resource that uses every way to shape a pod.
"""

import copy
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.render_cases import cases
from typer.testing import CliRunner

from breakeven.api.spec import DraftMethod
from breakeven.api.status import Role
from breakeven.cli.main import app
from breakeven.cli.yamltext import yaml_text
from breakeven.domain.decision import Placement
from breakeven.lab.handle import RunningLab
from breakeven.lab.tools.find import require
from breakeven.render import Owner, desired

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
ERAS = ("0.6.0", "0.8.2", "0.8.5.post1", "0.9.2", "0.12.0", "0.16.0", "0.24.0", "0.31.0", "0.33.0")
EVERYTHING = """\
apiVersion: breakeven.dev/v1alpha1
kind: SpeculativeDeployment
metadata: {name: everything, namespace: inference}
spec:
  replicas: 3
  engine:
    image: registry.example:5000/vllm:v0.33.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    version: 0.33.0
    extraArgs: ["--max-num-seqs=64", "--api-key=$(KEY)"]
    env:
      - {name: KEY, valueFrom: {secretKeyRef: {name: keys, key: engine}}}
      - {name: HF_HUB_OFFLINE, value: "1"}
      - {name: ODD, value: "Y"}
      - {name: ODDER, value: "1e3"}
    startupTimeout: 90s
    shutdownTimeout: 0s
  target: {model: /models/a$(b), servedName: "a$b", quantization: FP8, maxModelLen: 4096, kvCacheDtype: fp8}
  draft: {method: DraftModel, model: /models/draft, quantization: FP8, disableAboveBatchSize: 16}
  hardware: {gpusPerReplica: 2, nodeSelector: {pool: gpu}}
  podTemplate:
    metadata: {annotations: {team: a}}
    spec:
      priorityClassName: high
      tolerations: [{key: dedicated, operator: Exists}]
      imagePullSecrets: [{name: pull}]
      volumes: [{name: cache, persistentVolumeClaim: {claimName: models}}]
      containers:
        - {name: engine, resources: {requests: {cpu: "4", memory: 64Gi}}}
        - {name: sidecar, image: "registry.example/sidecar:1"}
"""


def printed(*arguments: str, stdin: str | None = None) -> list[dict[str, Any]]:
    """Objects that the command prints; none where the release cannot serve the resource."""
    result = CliRunner().invoke(app, ["render", *arguments, "-o", "yaml"], input=stdin)
    assert result.exit_code in (0, 1), result.stderr
    return list(yaml.safe_load_all(result.stdout)) if result.exit_code == 0 else []


@cache
def rendered() -> tuple[dict[str, Any], ...]:
    """Objects of every sample and era, of the resource that uses everything, and of a draft in every way there is."""
    objects = [o for path in SAMPLES for release in ERAS for o in printed("-f", str(path), "--engine-version", release)]
    objects += printed("-f", "-", stdin=EVERYTHING)
    for method in DraftMethod:
        name, variant = next(cases("0.32.0", method))
        placed = Placement(variant=variant, role=Role.STABLE, replicas=1)
        made = desired(Owner(name=f"a-{method.value.lower()}", namespace="inference"), [placed])
        assert made.objects or made.refusals, name
        objects += made.objects
    return tuple(objects)


def in_namespace(namespace: str) -> str:
    moved = copy.deepcopy(rendered())
    for item in moved:
        item["metadata"]["namespace"] = namespace
    return yaml_text(moved)


def strict(definitions: dict[str, Any]) -> dict[str, Any]:
    """Definitions of the API server's OpenAPI document that take no field they do not name."""
    for name, definition in definitions.items():
        if name.endswith("IntOrString"):
            definitions[name] = {"type": ["integer", "string"]}
        elif "properties" in definition:
            definition["additionalProperties"] = False
    return definitions


def test_every_era_is_rendered_by_some_sample() -> None:
    assert all(any(printed("-f", str(path), "--engine-version", release) for path in SAMPLES) for release in ERAS)
    assert {o["kind"] for o in rendered()} == {"ConfigMap", "Deployment", "Service"}
    assert len(rendered()) > 60


def test_what_is_rendered_conforms_to_the_schemas_of_the_server(server: RunningLab, tmp_path: Path) -> None:
    definitions = strict(json.loads(server.kubectl("get", "--raw", "/openapi/v2").stdout)["definitions"])
    kinds = {"deployment": "apps.v1.Deployment", "service": "core.v1.Service", "configmap": "core.v1.ConfigMap"}
    for kind, name in ((kind, f"io.k8s.api.{name}") for kind, name in kinds.items()):
        schema = {"$ref": f"#/definitions/{name}", "definitions": definitions}
        (tmp_path / f"{kind}.json").write_text(json.dumps(schema), encoding="utf-8")
    location = str(tmp_path / "{{ .ResourceKind }}.json")
    command = [str(require("kubeconform")["kubeconform"]), "-strict", "-summary", "-schema-location", location]
    text = in_namespace("inference")

    good = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
    bad = subprocess.run(
        command,
        input=text.replace("failureThreshold", "failureTreshold", 1),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert good.returncode == 0, good.stdout + good.stderr
    assert "Skipped: 0" in good.stdout
    assert bad.returncode != 0 and "failureTreshold" in bad.stdout


def test_the_server_takes_what_is_rendered(server: RunningLab, namespace: str) -> None:
    text = in_namespace(namespace)

    result = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text, check=False)

    assert result.returncode == 0, result.stderr
    assert "unknown field" not in result.stderr
    assert result.stdout.count("(server dry run)") == len(rendered())
