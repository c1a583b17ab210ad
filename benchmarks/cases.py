"""Score predicted speed-ups on published rows: `python benchmarks/cases.py --cases FILE [-o json]`.

The same as `breakeven score`, with leave-one-source-out cross-validation of the few constants that were fitted on
published rows. Everything else in the model was fitted on step times of one H200, none of which is among the rows.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "operator"))

from breakeven.cli.score import document, print_score, read_file, trust_lines
from breakeven.planning.calibration import SGLANG_OLD, V0_DRAFT_MODEL, V0_HEAD
from breakeven.planning.scoring.assumptions import family
from breakeven.planning.scoring.generation import Generation, generation_of
from breakeven.planning.scoring.predict import Guess, predict
from breakeven.planning.scoring.row import Case, CasesError
from breakeven.planning.scoring.score import Score, group, score
from breakeven.planning.scoring.trust import calibrate, left_out_by_source, trust
from breakeven.planning.steptime import Host

PACKAGED = Path(__file__).parent / "data" / "benchmark-cases.csv"

FITTED_HOSTS: dict[str, Host] = {"v0-draft-model": V0_DRAFT_MODEL, "v0-head": V0_HEAD, "sglang-old": SGLANG_OLD}


def fitted_host(case: Case) -> str | None:
    """Name of the fitted constants a row uses; None when it uses none."""
    host = generation_of(case.engine, case.method).speculating
    return next((name for name, fitted in FITTED_HOSTS.items() if host == fitted), None)


def with_host(case: Case, constants: Sequence[float]) -> Generation:
    """The row's generation with other host costs of speculation: per step, sequence, position, and whole vocabulary."""
    generation = generation_of(case.engine, case.method)
    step, sequence, position, vocabulary = constants
    host = replace(
        generation.speculating,
        extra=step,
        extra_sequence=sequence,
        extra_position=position,
        whole_vocabulary=vocabulary,
    )
    return replace(generation, speculating=host)


def refit(cases: Sequence[Case]) -> tuple[float, float, float, float]:
    """Host costs that fit these rows best; zero when there are none, which is the model without them."""

    def residuals(constants: NDArray[np.float64]) -> NDArray[np.float64]:
        errors = []
        for case in cases:
            guess = predict(case, hosts=with_host(case, [float(value) for value in constants]))
            if guess is not None and case.measured is not None:
                errors.append(math.log(guess.speedup / case.measured))
        return np.array(errors)

    if not cases:
        return 0.0, 0.0, 0.0, 0.0
    found = least_squares(
        residuals, [3.0, 0.05, 0.05, 0.05], bounds=([0.0] * 4, [20.0, 3.0, 3.0, 3.0]), loss="soft_l1", f_scale=0.15
    ).x
    return float(found[0]), float(found[1]), float(found[2]), float(found[3])


def usable(case: Case) -> bool:
    """Rows fit for fitting: a known batch, and a draft worker whose cost the constants describe."""
    kind = family(case.method)
    return (
        case.measured is not None and case.load_kind == "batch" and (kind == "draft-model" or kind.startswith("eagle"))
    )


def cross_validated(cases: Sequence[Case]) -> Score:
    """Every row predicted with constants fitted without its source."""
    constants: dict[tuple[str, str], tuple[float, float, float, float]] = {}

    def predictor(case: Case) -> Guess | None:
        name = fitted_host(case)
        if name is None:
            return predict(case)
        key = (name, case.source)
        if key not in constants:
            others = [c for c in cases if c.source != case.source and usable(c) and fitted_host(c) == name]
            constants[key] = refit(others)
        return predict(case, hosts=with_host(case, constants[key]))

    return score(cases, predictor=predictor, hold_fitted=False)


def main(arguments: Sequence[str] | None = None, echo: Callable[[str], None] = print) -> int:
    """Print the score. Returns 0, 1 when no row could be scored, or 2 when the file is no table of cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, default=PACKAGED, help="CSV of measured rows")
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    parser.add_argument("--no-cross-validate", action="store_true", help="do not also leave one source out")
    parser.add_argument("--rows", action="store_true", help="also print every row")
    options = parser.parse_args(arguments)
    try:
        cases, notes = read_file(options.cases)
    except CasesError as error:
        print(f"error: --cases: {options.cases}: {error}", file=sys.stderr)
        return 2
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    made = score(cases)
    held = None if options.no_cross_validate else cross_validated(cases)
    if options.output == "json":
        found = document(made, rows=options.rows)
        if held is not None:
            trusted = trust(left_out_by_source(held.rows))
            found["leaveOneSourceOut"] = {**document(held, rows=False), "trust": [each.document() for each in trusted]}
        echo(json.dumps(found, indent=2, ensure_ascii=False))
        return 0 if made.rows else 1
    print_score(made, rows=options.rows)
    if held is not None:
        fitted = group("of these, rows that use a fitted constant", [r for r in held.rows if fitted_host(r.case)])
        echo("\nleave one source out: every row predicted with constants fitted without its source")
        sources = [total for total in held.groups if total.name.startswith("source: ")]
        for total in (held.groups[0], fitted, *sources):
            error = "unknown" if total.mean_error is None else f"{total.mean_error:.0%}"
            ours = total.ours
            signs = f"speed-ups {ours.faster_right}/{total.faster}, slow-downs {ours.slower_right}/{total.slower}"
            echo(f"{total.name}: {total.rows} rows, {total.ties} ties, {signs}, error of S {error}")
        echo("\nwhat it says of each row, with intervals that never saw the row's source")
        for line in trust_lines(trust(left_out_by_source(held.rows))):
            echo(line)
        made_of = calibrate(held.rows)
        spreads = (f"{kind.value} {s.sigma:.3f} from {s.sources} sources" for kind, s in made_of.spreads.items())
        echo(
            f"spread of log(measured / predicted): {'; '.join(spreads)}; acceptance assumed adds {made_of.assumed:.3f}"
        )
    return 0 if made.rows else 1


if __name__ == "__main__":
    raise SystemExit(main())
