"""`breakeven score`: the step-time model against published measurements."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from breakeven.domain.planning.scoring.score import Group, Score


class ScoreOutput(StrEnum):
    """How a score is printed."""

    TABLE = "table"
    JSON = "json"


def score(
    cases: Annotated[Path, typer.Option("--cases", help="CSV with the columns of the packaged benchmark cases.")],
    output: Annotated[ScoreOutput, typer.Option("--output", "-o", help="table or json.")] = ScoreOutput.TABLE,
    rows: Annotated[bool, typer.Option("--rows", help="Also print the prediction of every row.")] = False,
) -> None:
    """Score the predicted speed-ups against measured rows, beside the fixed 0.5 rule and "always on".

    Rows that constants were fitted on are left out and counted.

    Example: `breakeven score --cases benchmarks/data/benchmark-cases.csv`
    """
    import csv
    import io
    import json

    from breakeven.domain.planning.scoring.row import read_case
    from breakeven.domain.planning.scoring.score import score as make_score

    try:
        text = cases.read_text(encoding="utf-8-sig", errors="replace")
        read = [read_case(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
    except (OSError, csv.Error) as error:
        typer.echo(f"error: --cases: cannot read {cases}: {error}", err=True)
        raise typer.Exit(2) from None
    made = make_score(read)
    if output is ScoreOutput.JSON:
        typer.echo(json.dumps(document(made, rows=rows), indent=2, ensure_ascii=False))
        return
    print_score(made, rows=rows)


def document(made: "Score", *, rows: bool) -> dict[str, object]:
    """A score as plain data."""
    found: dict[str, object] = {
        "tieWithin": 0.03,
        "leftOut": {"fitted": made.fitted, "comparesTwoLengths": made.relative, "noSpeedup": made.unmeasured},
        "notPredicted": list(made.unknown),
        "groups": [group.document() for group in made.groups],
    }
    if rows:
        found["rows"] = [
            {
                "id": row.case.id,
                "source": row.case.source,
                "measured": row.measured,
                "predicted": round(row.guess.speedup, 3),
                "tokensPerStep": round(row.guess.tokens, 3),
                "stepInflation": round(row.guess.inflation, 3),
                "batch": round(row.guess.batch),
                "engine": row.guess.generation,
                "assumed": list(row.guess.assumed),
            }
            for row in made.rows
        ]
    return found


def print_score(made: "Score", *, rows: bool) -> None:
    typer.echo("Right signs: speed-ups found / there are, slow-downs found / there are; ties within 3 % are left out")
    typer.echo(f"{'rows':58} {'n':>4} {'ties':>4}  {'model':>15} {'0.5 rule':>15} {'always on':>15}  error of S")
    for group in made.groups:
        typer.echo(_line(group))
    typer.echo(
        f"\nleft out: {made.fitted} rows that constants were fitted on, {made.relative} that compare two lengths, "
        f"{made.unmeasured} without a speed-up; not predicted (size of the target unknown): {len(made.unknown)}"
    )
    missed = made.groups[0].missed
    typer.echo(f"slow-downs missed: {', '.join(missed) if missed else 'none'}")
    if rows:
        for row in made.rows:
            assumed = f"  assumed: {', '.join(row.guess.assumed)}" if row.guess.assumed else ""
            typer.echo(f"{row.case.id:8} measured {row.measured:5.2f}  predicted {row.guess.speedup:5.2f}{assumed}")


def _line(group: "Group") -> str:
    def tally(up: int, down: int) -> str:
        return f"{up}/{group.faster} {down}/{group.slower}"

    error = "–" if group.mean_error is None else f"{group.mean_error:.0%}"
    return (
        f"{group.name[:58]:58} {group.rows:4d} {group.ties:4d}  "
        f"{tally(group.ours.faster_right, group.ours.slower_right):>15} "
        f"{tally(group.rule.faster_right, group.rule.slower_right):>15} "
        f"{tally(group.always.faster_right, group.always.slower_right):>15}  {error:>6}"
    )
