"""What a metric page says beside the operator's counters: the prefix cache, and the size of the KV cache."""

import re

from breakeven.inspect.page import Page as Parsed
from breakeven.measure.server import Page

_SAMPLE = r"^[a-z_]+[:_]{name}(?:_total)?(?:\{{[^}}]*\}})? ([0-9.eE+-]+)"
_CACHE = re.compile(r"^[a-z_]+[:_]cache_config_info\{([^}]*)\}", re.MULTILINE)


def read_page(text: str, parsed: Parsed) -> Page:
    """Put the counters and the rest of one page together. What is not on it stays None."""
    return Page(
        scrape=parsed.scrape,
        speculates=parsed.speculates,
        started=parsed.started,
        remarks=parsed.remarks,
        prefix_queries=_sum(text, "prefix_cache_queries"),
        prefix_hits=_sum(text, "prefix_cache_hits"),
        kv_tokens=_kv_tokens(text),
    )


def _sum(text: str, name: str) -> float | None:
    """Over data-parallel ranks. The external cache's families end alike, and their prefix has a further word."""
    pattern = re.compile(_SAMPLE.format(name=name), re.MULTILINE)
    found = [float(m.group(1)) for m in pattern.finditer(text) if "external" not in m.group(0).split("{")[0]]
    return sum(found) if found else None


def _kv_tokens(text: str) -> float | None:
    found = _CACHE.search(text)
    if found is None:
        return None
    labels = dict(re.findall(r'([a-z_]+)="([^"]*)"', found.group(1)))
    try:
        return float(labels["num_gpu_blocks"]) * float(labels["block_size"])
    except (KeyError, ValueError):
        return None
