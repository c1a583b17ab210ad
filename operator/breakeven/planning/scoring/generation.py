"""Engine generations: what each leaves on the host, from the name in a row."""

import re
from dataclasses import dataclass

from breakeven.planning.calibration import SGLANG_OLD, hosts_for, v0_hosts
from breakeven.planning.steptime import Host

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_V1_SINCE = (0, 8)
_V1_DRAFT_MODEL = (0, 10)
_SGLANG_OVERLAPS = (0, 5)
"""First SGLang that schedules the next step while it speculates."""
_V1_UNNAMED = (0, 10)
"""Release that stands for "vLLM V1" without a number: before asynchronous scheduling became the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """How an engine of some age runs plain and speculating steps."""

    name: str
    plain: Host
    speculating: Host
    version: tuple[int, int] = (0, 0)
    """Release of vLLM on V1; zero for everything else."""


def generation_of(engine: str, method: str) -> Generation:
    """The generation that an engine name and a method stand for; an unknown engine counts as a current one."""
    text = engine.lower()
    found = _VERSION.search(text)
    version = (int(found.group(1)), int(found.group(2))) if found else None
    if "sglang" in text:
        plain, slow = hosts_for((0, 14), "")
        if version is not None and version >= _SGLANG_OVERLAPS:
            return Generation(name="SGLang", plain=plain, speculating=slow)
        return Generation(name="SGLang, old", plain=plain, speculating=SGLANG_OLD)
    if "vllm" not in text:
        plain, slow = hosts_for((0, 14), "")
        return Generation(name="other", plain=plain, speculating=slow)
    drafts_on_v0 = method == "draft-model" and version is not None and version < _V1_DRAFT_MODEL
    old = version is not None and version < _V1_SINCE
    if "v0" in text.split() or old or drafts_on_v0:
        plain, slow = v0_hosts(method.replace("-", "_"))
        return Generation(name="vLLM V0", plain=plain, speculating=slow)
    release = version if version is not None else _V1_UNNAMED
    plain, slow = hosts_for(release, method.replace("-", "_"))
    name = "vLLM V1, asynchronous" if release >= (0, 14) else "vLLM V1"
    return Generation(name=name, plain=plain, speculating=slow, version=release)
