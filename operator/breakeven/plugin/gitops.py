"""Who else writes a resource: what is changed by hand there does not last. Pure."""

from collections.abc import Mapping
from typing import Any

_ANNOTATIONS = {"argocd.argoproj.io/tracking-id": "Argo CD", "meta.helm.sh/release-name": "Helm"}
_LABELS = {
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
_MANAGERS = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "helm": "Helm",
}
"""Field managers under which these write (`metadata.managedFields`)."""


def manager_of(body: Mapping[str, Any]) -> str:
    """Argo CD, Flux or Helm, where it manages the resource; empty otherwise."""
    metadata = body.get("metadata") or {}
    for marks, named in (("annotations", _ANNOTATIONS), ("labels", _LABELS)):
        present = metadata.get(marks) or {}
        if found := next((who for mark, who in named.items() if mark in present), ""):
            return found
    managers = [str(f.get("manager", "")) for f in metadata.get("managedFields") or () if isinstance(f, Mapping)]
    return next((_MANAGERS[m] for m in managers if m in _MANAGERS), "")


def overwritten(body: Mapping[str, Any], change: str) -> str:
    """What becomes of a change of the spec by hand; empty where nobody else writes it."""
    who = manager_of(body)
    if not who:
        return ""
    when = "with the next upgrade" if who == "Helm" else "with its next sync"
    return f"{who} manages this resource and may put the old value back {when}: write {change} in Git too"
