"""Which local command stands for a container image."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from breakeven.lab.settings import ImageCommand

ARGUMENTS = "{args}"
_PLACEHOLDER = re.compile(r"\{(python|ip|image|tag|pod|namespace|uid|kubeconfig)\}")


def command_for(image: str, commands: Iterable[ImageCommand]) -> ImageCommand | None:
    """The first entry whose pattern matches the whole image reference."""
    return next((entry for entry in commands if re.fullmatch(entry.pattern, image)), None)


def tag_of(image: str) -> str:
    """What follows the last colon of the last path segment, digest cut off; "latest" when there is none."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2] or "latest"


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace the placeholders of a template; other braces stay as they are."""
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], text)


def needs_kubeconfig(entry: ImageCommand) -> bool:
    """Whether a template mentions the pod's own kubeconfig."""
    return any("{kubeconfig}" in text for text in (*entry.command, *entry.env.values()))


def local_command(entry: ImageCommand, arguments: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The command line to run. `arguments`: the container's command and args, put where the template says {args}."""
    filled: list[str] = []
    for item in entry.command:
        if item == ARGUMENTS:
            filled.extend(arguments)
        else:
            filled.append(fill(item, values))
    return filled


def placeholder_values(
    *, ip: str, image: str, pod: str, namespace: str, uid: str, kubeconfig: str = ""
) -> dict[str, str]:
    """Values of all placeholders."""
    return {
        "python": sys.executable,
        "ip": ip,
        "image": image,
        "tag": tag_of(image),
        "pod": pod,
        "namespace": namespace,
        "uid": uid,
        "kubeconfig": kubeconfig,
    }
