"""Labels, annotations and other fixed names that the operator writes or reads on objects."""

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
ROLE = f"{GROUP}/role"
"""Annotation with the role of the variant: Stable, Canary or Holdback. Not a label: roles change, pods do not."""

COMMAND = f"{GROUP}/command"
"""Annotation on the resource: a one-shot command (promote, abort, retry, restart), recorded in status when consumed."""

NAME_MAX = 40
"""Longest name of a resource: `<name>-<10 hex>` plus the suffixes of ReplicaSet and pod stay within a 63 character label."""
