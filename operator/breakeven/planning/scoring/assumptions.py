"""What a row does not say, filled in by physics or by published acceptance, and counted as assumed."""

import re
from dataclasses import dataclass

from breakeven.planning import breakeven as relation
from breakeven.planning.scoring.row import Case

_KIND = (
    (re.compile(r"code|coder|human-?eval|mbpp|spec-?bench coding"), "code"),
    (re.compile(r"gsm|math|aime"), "mathematics"),
    (re.compile(r"cnn|summar|xsum"), "summaries"),
)
_LENGTHS = re.compile(r"(\d+)k\s*/\s*(\d+)k")
_ALPHA = {
    "eagle": {"code": 0.75, "mathematics": 0.60, "summaries": 0.60, "chat": 0.64},
    "eagle3": {"code": 0.735, "mathematics": 0.665, "summaries": 0.645, "chat": 0.68},
    "draft-model": {"code": 0.85, "mathematics": 0.80, "summaries": 0.70, "chat": 0.75},
    "ngram": {"code": 0.42, "mathematics": 0.14, "summaries": 0.27, "chat": 0.24},
    "mtp": {"code": 0.85, "mathematics": 0.85, "summaries": 0.85, "chat": 0.85},
}
"""Conditional acceptance per position by method and kind of text, from published acceptance (never from speed-ups):
replayed
EAGLE-3 and n-gram traces, EAGLE on MT-Bench, the DeepSeek-V3 report for MTP; draft models by the text of the same
study."""

_COPY_ALPHA = 0.90
_TREE_ALPHA = {"eagle": 0.62, "eagle3": 0.68}
_GREEDY_DRAFT_LOSS = 0.425
"""Share of acceptance lost per unit of temperature on V1, which drafts greedily; V0 drafted with probabilities."""

_PROMPT = {"code": 300.0, "mathematics": 100.0, "summaries": 900.0, "chat": 220.0}
_ANSWER = {"code": 300.0, "mathematics": 250.0, "summaries": 150.0, "chat": 250.0}
"""Usual prompt and answer lengths in tokens: InstructCoder, GSM8K, CNN/DailyMail, ShareGPT."""
SATURATED_BATCH = 64.0
"""Running requests taken for a load that is only called high."""
OFFLINE_BATCH = 256.0
"""Running requests of an offline run of many requests: the engine's default maximum."""
_UNKNOWN_BATCH = 4.0

_DEFAULT_LENGTH = {"ngram": 5, "draft-model": 5, "mtp": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Kind of text of a data set and the lengths it brings, in tokens."""

    kind: str
    prompt: float
    answer: float

    @property
    def context(self) -> float:
        """Mean context while decoding."""
        return self.prompt + self.answer / 2.0


def text_of(dataset: str) -> Text:
    """The kind of text by a data set's name; chat when the name says nothing."""
    kind = next((name for pattern, name in _KIND if pattern.search(dataset)), "chat")
    stated = _LENGTHS.search(dataset)
    if stated is not None:
        return Text(kind=kind, prompt=1024.0 * float(stated.group(1)), answer=1024.0 * float(stated.group(2)))
    return Text(kind=kind, prompt=_PROMPT[kind], answer=_ANSWER[kind])


def length_of(case: Case) -> int:
    """Drafted tokens per step, a common value for the method when the row does not say."""
    return case.k if case.k is not None else _DEFAULT_LENGTH.get(family(case.method), 3)


def family(method: str) -> str:
    """The method a spelling belongs to; tree variants belong to their chain."""
    base = method.removesuffix("-tree")
    if base in _ALPHA:
        return base
    if base.startswith(("eagle3", "eagle-3", "peagle", "p-eagle", "dflash", "dspark")):
        return "eagle3"
    if base.startswith(("eagle", "medusa", "mlp", "hydra")):
        return "eagle"
    if base.startswith(("ngram", "n-gram", "suffix", "lookup", "prompt")):
        return "ngram"
    if base.startswith(("mtp", "nextn")):
        return "mtp"
    return "draft-model"


def passes_of(method: str, k: int) -> int:
    """Draft passes of a step. A tree of k nodes is about log2(k + 1) deep; parallel drafters need one pass."""
    if method.endswith("-tree"):
        return max(1, k.bit_length())
    if method.startswith(("p-eagle", "peagle", "dflash", "dspark", "medusa", "parallel")):
        return 1
    return k


def tokens_of(case: Case, *, copy: bool, old_engine: bool) -> float:
    """E: as the row has it, else from published acceptance of the method on that kind of text."""
    if case.tokens is not None:
        return case.tokens
    k = length_of(case)
    if case.ratio is not None:
        return 1.0 + k * case.ratio
    kind = family(case.method)
    if case.method.endswith("-tree"):
        return relation.expected_tokens(_TREE_ALPHA.get(kind, 0.65), passes_of(case.method, k))
    alpha = _COPY_ALPHA if copy else _ALPHA[kind][text_of(case.dataset).kind]
    if not old_engine:
        alpha *= max(0.0, 1.0 - _GREEDY_DRAFT_LOSS * min(case.temperature, 1.0))
    return relation.expected_tokens(alpha, k)


def batch_of(case: Case, plain_ms_at_one: float) -> float:
    """Running requests of one engine. A rate becomes requests in flight by Little's law at the unloaded step time."""
    if case.load_kind == "qps":
        if case.load is None:
            return SATURATED_BATCH if "high" in case.load_word else _UNKNOWN_BATCH
        return min(OFFLINE_BATCH, max(1.0, case.load * text_of(case.dataset).answer * plain_ms_at_one / 1e3))
    if case.load_kind in ("requests", "offline", "prompts"):
        return min(OFFLINE_BATCH, case.load or OFFLINE_BATCH)
    if case.load is not None:
        return min(4096.0, max(1.0, case.load))
    if "high" in case.load_word or "max" in case.load_word:
        return SATURATED_BATCH
    return 1.0 if "low" in case.load_word or case.load_kind == "batch" else _UNKNOWN_BATCH
