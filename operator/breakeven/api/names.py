"""Labels, annotations and other fixed names that the operator writes or reads on objects."""

import re

from breakeven.api.base import GROUP

FIELD_MANAGER = "breakeven"
"""Field manager of everything applied; Argo CD's `managedFieldsManagers` can name it."""

MANAGED_BY = "app.kubernetes.io/managed-by"
"""Label with the value `breakeven` on every owned object."""
APP_NAME = "app.kubernetes.io/name"
"""Label with the value `vllm` on engine objects."""
APP_INSTANCE = "app.kubernetes.io/instance"
"""Label with the name of the resource."""
RESOURCE = f"{GROUP}/resource"
"""Label with the name of the resource; selects its pods, all variants together."""
VARIANT = f"{GROUP}/variant"
"""Label with the hash of the variant."""
MANAGED_LABELS = frozenset({MANAGED_BY, RESOURCE, VARIANT})
"""Labels that selectors rest on: nobody else sets them."""
SWITCHING = f"{GROUP}/switching"
SWITCHING = f"{GROUP}/switching"
"""Label with the value `Warm` on the Deployment and pods that hold several variants, one awake; absent on all others."""
WARM = "Warm"
ROLE = f"{GROUP}/role"
"""Annotation with the role of the variant: Stable, Canary or Holdback. Not a label: roles change, pods do not."""

COMMAND = f"{GROUP}/command"
"""Annotation on the resource: a one-shot command (promote, abort, retry, restart), recorded in status when consumed."""

GPU_HOUR_PRICE = f"{GROUP}/gpu-hour-price"
"""Annotation on the resource: what one of its GPUs costs in an hour, such as `2.50 EUR`; wins over the operator's setting."""
MODE_BEFORE_OFF = f"{GROUP}/mode-before-off"
"""Annotation on the resource: the mode that `kubectl breakeven off` replaced, for `on` to put back."""

NAME_MAX = 40
"""Longest name of a resource: `<name>-<10 hex>` plus the suffixes of ReplicaSet and pod stay within a 63 character label."""
NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""What a Service may be called."""
NAME_MESSAGE = (
    f"write at most {NAME_MAX} characters of a-z, 0-9 and '-', the first a letter, the last no '-': "
    "Deployments and pods add a hash to it"
)


def fits_name(name: str) -> bool:
    """Whether a resource may have this name."""
    return len(name) <= NAME_MAX and re.fullmatch(NAME_PATTERN, name) is not None


def warm_pool(baseline: str) -> str:
    """Name of the pool of replicas that hold two variants: of their baseline, which is all that they share.

    A replica that holds one variant belongs to the pool that is named as the variant. The Deployment of a pool is named
    `<resource>-<pool>`.
    """
    return f"{baseline}-{WARM.lower()}"


def spoken_model(model: str) -> str:
    """A model as it is shown to people: a local checkpoint by its last folder, a Hugging Face name as it is.

    A folder of the Hugging Face cache (`…/models--org--name/snapshots/<hash>`) is shown by the name it holds.
    """
    if not model.startswith(("/", "./", "../", "~")):
        return model
    parts = [part for part in model.split("/") if part]
    cached = next((part for part in parts if part.startswith("models--")), None)
    if cached is not None:
        return cached.removeprefix("models--").replace("--", "/")
    return parts[-1] if parts else model
