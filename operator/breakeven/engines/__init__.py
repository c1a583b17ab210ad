"""What each vLLM release accepts, as data: one table, one loader, the questions asked of it. Knows no Kubernetes."""

from breakeven.engines.draft_keys import DraftKey, Takes
from breakeven.engines.engine import Engine
from breakeven.engines.findings import Caution, EngineRemark, Refusal
from breakeven.engines.kv_formats import kv_bytes
from breakeven.engines.table import Table, load
from breakeven.engines.versions import Version, version_in_image

__all__ = [
    "Caution",
    "DraftKey",
    "Engine",
    "EngineRemark",
    "Refusal",
    "Table",
    "Takes",
    "Version",
    "kv_bytes",
    "load",
    "version_in_image",
]
