"""A lab with a running operator, as the end-to-end tests of the loop see it."""

import base64
import json
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from breakeven.api.base import API_VERSION, PLURAL
from breakeven.demo.operator import Operator
from breakeven.demo.processes import Process
from breakeven.demo.stage import simulated_stage
from breakeven.lab.handle import RunningLab

NAMESPACE = "inference"
Status = Mapping[str, Any]


class Cluster:
    """A lab with a running operator. Everything goes through kubectl, as a user's commands would."""

    def __init__(self, lab: RunningLab, operator: Operator) -> None:
        self.lab = lab
        self.operator = operator
        self.loads: dict[str, Process] = {}
        config = yaml.safe_load(lab.kubeconfig.read_text())
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        self._token = config["users"][0]["user"]["token"]

    def apply(self, resource: Mapping[str, Any]) -> None:
        """kubectl apply."""
        self.lab.kubectl("apply", "-f", "-", input=yaml.safe_dump(dict(resource)))

    def patch(self, name: str, **spec: Any) -> None:
        """Merge changes into the spec of a resource."""
        self.lab.kubectl("patch", "spd", name, "-n", NAMESPACE, "--type=merge", "-p", json.dumps({"spec": spec}))

    def delete(self, name: str) -> None:
        """Delete a resource, and the load on it."""
        self.quiet(name)
        self.lab.kubectl("delete", "spd", name, "-n", NAMESPACE, "--wait=false")

    def get(self, path: str) -> dict[str, Any]:
        """Read from the API server directly: hundreds of kubectl processes would take the machine for themselves.

        Raises OSError when it does not answer with 200.
        """
        request = urllib.request.Request(self.lab.server + path, headers={"Authorization": f"Bearer {self._token}"})
        with urllib.request.urlopen(request, timeout=10, context=self._tls) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def resource(self, name: str) -> dict[str, Any]:
        """The resource as the API server has it."""
        return self.get(f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/{PLURAL}/{name}")

    def status(self, name: str) -> Status:
        """Its status; empty before the first pass."""
        status: Status = self.resource(name).get("status") or {}
        return status

    def condition(self, name: str, kind: str) -> Mapping[str, Any]:
        """One condition; empty when it is not there."""
        return condition(self.status(name), kind)

    def wait(self, name: str, what: str, reached: Callable[[Status], Any], timeout: float = 240) -> Status:
        """Look until the status is as wanted; the error shows what was there instead."""
        last: list[Status] = [{}]

        def look() -> Status | None:
            last[0] = self.status(name)
            return last[0] if reached(last[0]) else None

        try:
            found: Status = self.lab.wait_for(f"{name}: {what}", look, timeout=timeout, every=1.0)
        except Exception as error:
            error.add_note(f"last status of {name}: {json.dumps(brief(last[0]), indent=1)}")
            raise
        return found

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Pods of one resource."""
        label = urllib.parse.quote(f"app.kubernetes.io/instance={name}")
        items: list[dict[str, Any]] = self.get(f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={label}")["items"]
        return items

    def addresses(self, name: str) -> dict[str, str]:
        """Addresses of its pods by name."""
        return {p["metadata"]["name"]: p["status"]["podIP"] for p in self.pods(name) if p["status"].get("podIP")}

    def events(self, name: str) -> list[str]:
        """Reasons of the Events about a resource, oldest first."""
        field = urllib.parse.quote(f"involvedObject.name={name}")
        found = self.get(f"/api/v1/namespaces/{NAMESPACE}/events?fieldSelector={field}")["items"]
        items = sorted(found, key=lambda e: str(e["metadata"]["creationTimestamp"]))
        return [e["reason"] for e in items if e["involvedObject"]["kind"] == "SpeculativeDeployment"]

    def traffic(self, name: str, profile: str | Path) -> None:
        """Send load to its Service in place of what is sent now."""
        self.quiet(name)
        url = self.lab.service_url(NAMESPACE, name)
        log = self.lab.directory / "logs" / f"load-{name}.log"
        log.unlink(missing_ok=True)
        load = Process(["load", "--url", url, "--profile", str(profile), "--duration", "900"], log=log)
        load.start()
        self.loads[name] = load

    def quiet(self, name: str) -> dict[str, Any]:
        """Stop the load; the generator's summary of all its requests, empty when there was no load."""
        load = self.loads.pop(name, None)
        if load is None:
            return {}
        load.stop()
        text = load.log.read_text()
        found: dict[str, Any] = json.loads(text[text.index("{") :])["total"] if "{" in text else {}
        return found

    def stays(self, name: str, same: Callable[[Status], Any], seconds: float) -> None:
        """Look for a while and fail as soon as it is not the same any more."""
        before = same(self.status(name))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = self.status(name)
            assert same(status) == before, json.dumps(brief(status), indent=1)
            time.sleep(1.0)


def declare(name: str, **changes: Any) -> dict[str, Any]:
    """The demo's resource under another name, with some parts of its spec replaced."""
    resource = simulated_stage().resource
    resource["metadata"]["name"] = name
    resource["spec"].update(changes)
    return resource


def condition(status: Status, kind: str) -> Mapping[str, Any]:
    """One condition of a status; empty when it is not there."""
    found = [c for c in status.get("conditions", []) if c["type"] == kind]
    return found[0] if found else {}


def settled(status: Status) -> bool:
    """Whether every variant has the replicas it should have."""
    variants = detailed(status).get("variants", [])
    return bool(variants) and all(v["wanted"] == v["ready"] for v in variants)


def speculating(status: Status) -> bool:
    """Whether speculation serves, and every replica is where it should be."""
    return status.get("state") == "Speculating" and settled(status)


def detailed(status: Status) -> Mapping[str, Any]:
    """The report for programs; empty before the first pass."""
    details: Mapping[str, Any] = json.loads(status.get("details") or "{}")
    return details


def remembered(status: Status) -> Mapping[str, Any]:
    """What the operator remembers; empty before the first pass."""
    memory: Mapping[str, Any] = json.loads(status.get("memory") or "{}")
    return memory


def actions(status: Status) -> list[str]:
    """What was decided, oldest first."""
    return [d["action"] for d in reversed(remembered(status).get("decisions", []))]


def reasons(status: Status) -> list[str]:
    """Why it was decided, oldest first."""
    return [d["reason"] for d in reversed(remembered(status).get("decisions", []))]


def brief(status: Status) -> dict[str, Any]:
    """What helps to understand a failed test."""
    kept = {k: status[k] for k in ("state", "since", "hold", "arms", "evidence", "command", "history") if k in status}
    kept["conditions"] = [
        f"{c['type']}={c['status']} {c['reason']}: {c['message']}" for c in status.get("conditions", [])
    ]
    return kept
