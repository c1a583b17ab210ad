"""How the variants of a resource differ: the arguments of each engine, and the rest of its pods. Pure."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from breakeven.api.spec import SpeculativeDeploymentSpec
from breakeven.api.status import Role
from breakeven.api.variant import Variant, declared_variant
from breakeven.control.arms import draft_in_words
from breakeven.domain.decision import Placement
from breakeven.plugin.errors import PluginError
from breakeven.render import Owner, desired


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One variant as it is rendered."""

    name: str
    """Of its Deployment."""
    speculation: str
    """What it drafts with, in words."""
    args: Sequence[str]
    """One flag a line, with its value."""
    pod: dict[str, Any]
    """The pod template without the arguments."""

    def document(self) -> dict[str, Any]:
        """The variant for programs."""
        return asdict(self)


def rendered(name: str, namespace: str, spec: SpeculativeDeploymentSpec) -> list[Rendered]:
    """The plain variant, the declared one, then the alternatives.

    Raises
    ------
    PluginError
        If the spec cannot be rendered; the text names the fields.
    """
    declared = declared_variant(spec)
    drafts = [d for d in (declared.draft, *spec.alternatives) if d is not None]
    variants = [declared.baseline, *(declared.with_draft(draft) for draft in drafts)]
    placed = [Placement(variant=variant, role=Role.STABLE, replicas=1) for variant in variants]
    made = desired(Owner(name=name, namespace=namespace), placed)
    if made.refusals:
        raise PluginError("; ".join(f"spec.{refusal}" for refusal in made.refusals))
    return [_rendered(variant, made.deployments[variant.name]) for variant in variants]


def _rendered(variant: Variant, deployment: dict[str, Any]) -> Rendered:
    template = deployment["spec"]["template"]
    engine, *others = template["spec"]["containers"]
    command, args = engine.get("command", []), engine.get("args", [])
    bare = {key: value for key, value in engine.items() if key not in ("command", "args")}
    return Rendered(
        name=deployment["metadata"]["name"],
        speculation=draft_in_words(variant.draft),
        args=list(_flags([*command, *args])),
        pod={**template, "spec": {**template["spec"], "containers": [bare, *others]}},
    )


def _flags(words: Sequence[str]) -> Iterator[str]:
    """Flags with their values, one a line, so that a difference is one line."""
    line = ""
    for word in words:
        if word.startswith("-") and line:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    if line:
        yield line


def difference(first: Rendered, second: Rendered) -> list[str]:
    """Lines of a unified diff of the arguments; empty where there is none."""
    before, after = (f"{each.name} ({each.speculation})" for each in (first, second))
    return list(difflib.unified_diff(first.args, second.args, before, after, lineterm="", n=0))


def pod_difference(first: str, second: str) -> list[str]:
    """The same of two pod templates as YAML."""
    return list(difflib.unified_diff(first.splitlines(), second.splitlines(), "pod", "pod", lineterm="", n=3))
