"""The files of the repository that are generated from the models."""

from typing import Any

import yaml

from breakeven.api.base import GROUP, PLURAL
from breakeven.api.crd import definition
from breakeven.api.reference import reference

CRD_FILE = f"crds/{GROUP}_{PLURAL}.yaml"
INSTALL_FILE = "manifests/install/crd.yaml"
"""A copy, because kustomize takes no file from outside of its folder."""
CHART_FILE = "charts/breakeven/templates/crd.yaml"
REFERENCE_FILE = "docs/reference.md"

_HEADER = "# Generated from operator/breakeven/api by `make crds`; do not edit.\n"
_METADATA = f"metadata:\n  name: {PLURAL}.{GROUP}\n"
_KEEP = "  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n"


class _Dumper(yaml.SafeDumper):
    """Indents list items below their key, as yamllint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - the signature of yaml
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature of yaml
        return True


def crd_yaml() -> str:
    """Return the CustomResourceDefinition as a YAML document."""
    text = yaml.dump(definition(), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"{_HEADER}---\n{text}"


def published() -> dict[str, str]:
    """Return every generated file: its path from the repository root, and its text."""
    body = crd_yaml().removeprefix(_HEADER).removeprefix("---\n")
    chart = (
        "{{- if .Values.crds.install }}\n" + _HEADER + body.replace(_METADATA, _METADATA + _KEEP, 1) + "{{- end }}\n"
    )
    return {CRD_FILE: crd_yaml(), INSTALL_FILE: crd_yaml(), CHART_FILE: chart, REFERENCE_FILE: reference()}
