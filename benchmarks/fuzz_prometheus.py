"""Wrong answers of Prometheus: real ones, changed at random, must end in evidence or in the one kind of error.

    .venv/bin/python benchmarks/fuzz_prometheus.py [--answers 200000] [--seed 1]

An answer goes the whole way that it goes in the operator: read, gathered by pod, cut into scrapes, kept as the history
of a replica. It prints what became of the answers, and ends with status 1 at the first other exception.
"""

import argparse
import json
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

from breakeven.adapters.evidence_store.packed_pieces import Shapes
from breakeven.adapters.evidence_store.replica_history import ReplicaHistory
from breakeven.adapters.prometheus.answers import read
from breakeven.adapters.prometheus.errors import MetricsError
from breakeven.adapters.prometheus.naming import Naming, Pairs, PodName, namings
from breakeven.adapters.prometheus.promql import Gathering, Places, chosen, gather, scrapes

NOW = 1_800_000_000.0
POD: PodName = ("inference", "a")
NAMING = {POD: Naming("vllm:", "namespace", "pod")}
NAMES = (
    "generation_tokens_total",
    "inter_token_latency_seconds_sum",
    "spec_decode_num_accepted_tokens_per_pos_total",
    "request_time_per_output_token_seconds_bucket",
    "kv_cache_usage_perc",
)
STRANGE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e15,
    -1e308,
    10**400,
    float("nan"),
    float("inf"),
    "",
    "x",
    "NaN",
    "1e400",
    "\ud800",
    [],
    ["x"],
    {},
    {"a": []},
)


def real(random_: random.Random) -> dict[str, Any]:
    """A matrix or a vector, as Prometheus, Mimir and VictoriaMetrics write them."""
    result = []
    vector = random_.random() < 0.2
    for name in random_.sample(NAMES, 3):
        labels = {"__name__": f"vllm:{name}", "namespace": POD[0], "pod": POD[1], "position": "0", "le": "+Inf"}
        samples = [[NOW - 15 * i + 0.25, str(1000 - 15 * i)] for i in range(3, 0, -1)]
        result.append({"metric": labels, **({"value": samples[0]} if vector else {"values": samples})})
    answer: dict[str, Any] = {"status": "success"}
    if random_.random() < 0.2:
        answer["isPartial"] = False
    answer["data"] = {"resultType": "vector" if vector else "matrix", "result": result}
    return answer


def changed(value: Any, random_: random.Random) -> Any:
    """The same with one part, at any depth, replaced, removed, doubled or nested deeply."""
    if isinstance(value, dict | list) and value and random_.random() < 0.85:
        places: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        place = random_.choice(places)
        copy: Any = dict(value) if isinstance(value, dict) else list(value)
        kind = random_.random()
        if kind < 0.1:
            del copy[place]
        elif kind < 0.2 and isinstance(copy, list):
            copy.insert(place, random_.choice((copy[place], random_.choice(STRANGE))))
        else:
            copy[place] = changed(copy[place], random_)
        return copy
    if random_.random() < 0.01:
        deep: Any = "x"
        for _ in range(random_.choice((10, 500))):
            deep = [deep]
        return deep
    return random_.choice(STRANGE)


def text_of(answer: Any, random_: random.Random) -> bytes:
    """The answer as bytes, now and then with some of them changed as well."""
    separators = (",", ":") if random_.random() < 0.7 else None
    text = json.dumps(answer, separators=separators, ensure_ascii=random_.random() < 0.5)
    body = bytearray(text.encode("utf-8", errors="surrogatepass"))
    kind = random_.random()
    if kind < 0.1:
        del body[random_.randrange(len(body)) :]
    elif kind < 0.3:
        for _ in range(random_.randint(1, 4)):
            body[random_.randrange(len(body))] = random_.choice((random_.randrange(256), *b'[]{}",:0e'))
    elif kind < 0.31:
        at = random_.randrange(len(body))
        body[at:at] = random_.choice((b"[", b'{"a":')) * random_.choice((10, 3000))
    return bytes(body)


def take(body: bytes) -> None:
    """What the operator does with an answer."""
    names = namings(read(body, at=NOW), frozenset(NAMING), Pairs())
    assert all(isinstance(n, Naming) for found in names.values() for n in found)
    gathering: Gathering[PodName] = Gathering()
    gather(gathering, read(body, at=NOW), NAMING, Places())
    for targets in gathering.by_owner.values():
        history = ReplicaHistory(length=60.0, since=NOW - 600, shapes=Shapes())
        history.add(scrapes(targets[chosen(targets, None, patience=40.0)]))
        history.prune(NOW - 600)


def outcome(work: Callable[[], None]) -> str:
    """What became of an answer: evidence, or the reason of an outage."""
    try:
        work()
    except MetricsError as error:
        return error.reason
    return "taken"


def main() -> int:
    """Run; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random_ = random.Random(given.seed)
    counts: Counter[str] = Counter()
    for number in range(given.answers):
        answer = real(random_)
        for _ in range(random_.choice((0, 1, 1, 1, 2, 3))):
            answer = changed(answer, random_)
        body = text_of(answer, random_)
        try:
            counts[outcome(lambda body=body: take(body))] += 1  # type: ignore[misc]  # a default binds the loop variable
        except Exception:  # noqa: BLE001 - the finding itself
            traceback.print_exc()
            print(f"answer {number} of seed {given.seed}: {body[:2000]!r}", file=sys.stderr)
            return 1
    print(f"{given.answers} answers, 0 other exceptions: {dict(counts.most_common())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
