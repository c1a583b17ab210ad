"""Odd specs that admission takes: each is refused by name before anything is written, or taken by the API server."""

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.hostile_specs import hostile_specs

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Role
from breakeven.api.variant import declared_variant
from breakeven.domain.decision import Placement
from breakeven.lab.handle import RunningLab
from breakeven.render import Owner, desired

pytestmark = pytest.mark.lab
WANTED = 200


def rendered() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Spec and Deployment of those that are not refused, by the Deployment's name."""
    found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for number, spec in enumerate(hostile_specs(20 * WANTED)):
        try:
            variant = declared_variant(SpeculativeDeploymentSpec.model_validate(copy.deepcopy(spec)))
        except ValidationError:
            continue
        placed = Placement(variant=variant, role=Role.STABLE, replicas=1)
        for made in desired(Owner(name=f"h{number}", namespace="default"), [placed]).deployments.values():
            found[made["metadata"]["name"]] = (spec, made)
        if len(found) == WANTED:
            break
    return found


def test_what_is_not_refused_by_name_is_taken_by_the_api_server(server: RunningLab) -> None:
    specs = rendered()
    assert len(specs) == WANTED
    items = {"apiVersion": "v1", "kind": "List", "items": [made for _, made in specs.values()]}
    result = server.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(items), check=False)
    refused = [line for line in result.stderr.splitlines() if line.startswith(("The Deployment", "Error", "error"))]
    assert result.returncode == 0, f"{len(refused)} of {WANTED}:\n{result.stderr[:20000]}"
    assert result.stdout.count("(server dry run)") == WANTED
