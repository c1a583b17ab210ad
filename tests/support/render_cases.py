"""Combinations of release, drafting method, acceptance method and quantization, and what each is rendered to.

`python -m tests.support.render_cases` writes the golden files anew.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from breakeven.api.spec import AcceptanceMethod, DraftMethod
from breakeven.api.variant import Variant
from breakeven.engines import Refusal, load
from breakeven.render.arguments import serve_arguments
from breakeven.render.buckets import custom_histogram_buckets
from breakeven.render.check import refusals
from breakeven.render.request import read

GOLDEN = Path(__file__).parent.parent / "golden" / "render"
QUANTIZATIONS = (
    ("None", "None"),
    ("FP8", "None"),
    ("FP8", "FP8"),
    ("None", "FP8"),
    ("INT8", "None"),
    ("Prequantized", "INT8"),
    ("INT4", "None"),
    ("INT4", "INT4"),
    ("BitsAndBytes", "BitsAndBytes"),
    ("AWQ", "None"),
    ("GPTQ", "AWQ"),
    ("Prequantized", "Prequantized"),
)
"""Weight formats of target and draft."""
WITHOUT_MODEL = (DraftMethod.NGRAM, DraftMethod.NGRAM_GPU, DraftMethod.SUFFIX, DraftMethod.MTP)
LOSSY = (AcceptanceMethod.TYPICAL, AcceptanceMethod.FLY)


def variant(release: str, **draft: Any) -> Variant:
    """A variant of two GPUs for a release; without `method` it does not speculate."""
    quantization = draft.pop("target_quantization", "None")
    body: dict[str, Any] = {
        "engine": {"image": f"vllm/vllm-openai:v{release}"},
        "target": {"model": "meta-llama/Llama-3.1-70B-Instruct", "quantization": quantization},
        "hardware": {"gpusPerReplica": 2},
    }
    if draft:
        body["draft"] = draft
    return Variant.model_validate(body)


def draft(method: DraftMethod, quantization: str = "None", **more: Any) -> dict[str, Any]:
    """Draft fields for a method: a model where it needs one, and then its weight format."""
    if method in WITHOUT_MODEL:
        return {"method": method.value, **more}
    return {"method": method.value, "model": "/models/draft", "quantization": quantization, **more}


def acceptance(method: AcceptanceMethod) -> dict[str, Any]:
    """Acceptance fields, with consent where it is needed and every parameter where there is one."""
    fields: dict[str, Any] = {"method": method.value, "allowLossy": method in LOSSY}
    if method in LOSSY:
        fields["threshold"] = "0.2"
    if method is AcceptanceMethod.TYPICAL:
        fields["alpha"] = "0.3"
    return fields


def cases(release: str, method: DraftMethod | None) -> Iterator[tuple[str, Variant]]:
    """Named combinations for one release and one method."""
    if method is None:
        for weights in dict.fromkeys(target for target, _ in QUANTIZATIONS):
            yield f"target {weights}", variant(release, target_quantization=weights)
        return
    for target, ours in QUANTIZATIONS:
        weights = f"target {target}" if method in WITHOUT_MODEL else f"target {target}, draft {ours}"
        yield weights, variant(release, target_quantization=target, **draft(method, ours))
    for accepting in AcceptanceMethod:
        if accepting is not AcceptanceMethod.REJECTION:
            yield f"{accepting.value} acceptance", variant(release, **draft(method, acceptance=acceptance(accepting)))
    yield "disabled above 32", variant(release, **draft(method, disableAboveBatchSize=32))


def outcome(made: Variant) -> str:
    """The arguments as JSON, or the refusals in words with the version left out."""
    refused = refusals(made)
    request = read(made)
    if isinstance(request, Refusal) or refused:
        return "; ".join(f"refused: {r}".replace(f"vLLM {request_version(made)}", "vLLM V") for r in refused)
    arguments = [a.replace(custom_histogram_buckets(), "BUCKETS") for a in serve_arguments(request)]
    return json.dumps(arguments)


def request_version(made: Variant) -> str:
    """Version in the tag of a variant's image."""
    return made.engine.image.rpartition(":v")[2]


def golden(method: DraftMethod | None) -> dict[str, dict[str, str]]:
    """Outcome by case, then by range of releases: a new range begins where the outcome changes."""
    releases = load().releases
    by_case: dict[str, list[tuple[list[str], str]]] = {}
    for release in releases:
        for name, made in cases(release, method):
            runs = by_case.setdefault(name, [])
            result = outcome(made)
            if runs and runs[-1][1] == result:
                runs[-1][0].append(release)
            else:
                runs.append(([release], result))
    return {name: {_range(run): result for run, result in runs} for name, runs in by_case.items()}


def golden_file(method: DraftMethod | None) -> Path:
    """Where the golden outcomes of a method are."""
    return GOLDEN / f"{method.value if method else 'off'}.yaml"


def _range(run: list[str]) -> str:
    return run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"


def main() -> None:
    """Write every golden file."""
    GOLDEN.mkdir(exist_ok=True)
    for method in (None, *DraftMethod):
        text = yaml.safe_dump(golden(method), sort_keys=False, width=100_000)
        golden_file(method).write_text(text, encoding="utf-8")
    (GOLDEN / "buckets.json").write_text(custom_histogram_buckets() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
