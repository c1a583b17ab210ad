"""`breakeven score`: the step-time model against published measurements."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from breakeven.planning.scoring.row import Case
    from breakeven.planning.scoring.score import Group, Score
    from breakeven.planning.scoring.trust import Trust


class ScoreOutput(StrEnum):
    """How a score is printed."""

    TABLE = "table"
    JSON = "json"


def score(
    cases: Annotated[
        Path,
        typer.Option(
            "--cases", help="CSV with the columns of benchmarks/data/benchmark-cases.csv; - is standard input."
        ),
    ],
    output: Annotated[ScoreOutput, typer.Option("--output", "-o", help="table or json.")] = ScoreOutput.TABLE,
    rows: Annotated[bool, typer.Option("--rows", help="Also print the prediction of every row.")] = False,
) -> None:
    """Score the predicted speed-ups against measured rows, beside the fixed 0.5 rule and "always on".

    Rows that constants were fitted on are left out; every row that is left out is counted and named with the reason.
    Exit code 2: the file is no table of cases; 1: no row in it could be scored.

    Example: `breakeven score --cases benchmarks/data/benchmark-cases.csv`
    """
    import json

    from breakeven.planning.scoring.row import CasesError
    from breakeven.planning.scoring.score import score as make_score

    try:
        read, notes = read_file(cases)
    except CasesError as error:
        typer.echo(f"error: --cases: {cases}: {error}", err=True)
        raise typer.Exit(2) from None
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    made = make_score(read)
    if output is ScoreOutput.JSON:
        typer.echo(json.dumps(document(made, rows=rows), indent=2, ensure_ascii=False))
    else:
        print_score(made, rows=rows)
    if not made.rows:
        raise typer.Exit(1)


def read_file(path: Path) -> "tuple[tuple[Case, ...], tuple[str, ...]]":
    """The rows of a cases file, or of standard input for `-`, and what to say about its columns. Raises CasesError."""
    import sys

    from breakeven.planning.scoring.row import CasesError, absent_columns, read_cases

    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise CasesError(f"cannot be read: {error.strerror or error}") from None
    text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
    cases, absent = read_cases(text), absent_columns(text)
    return cases, (f"columns that are not there count as empty: {', '.join(absent)}",) if absent else ()


def document(made: "Score", *, rows: bool) -> dict[str, object]:
    """A score as plain data."""
    from breakeven.planning.scoring.trust import trust, trusted

    found: dict[str, object] = {
        "tieWithin": 0.03,
        "rowsRead": made.read,
        "rowsScored": len(made.rows),
        "leftOut": {reason.value: len(ids) for reason, ids in made.left_out.items()},
        "leftOutIds": {reason.value: list(ids) for reason, ids in made.left_out.items()},
        "groups": [group.document() for group in made.groups],
        "trust": [each.document() for each in trust(trusted(made.rows))],
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
                "kind": row.guess.kind.value,
                "low": round(row.guess.interval().low, 3),
                "high": round(row.guess.interval().high, 3),
                "verdict": row.guess.interval().verdict.value,
            }
            for row in made.rows
        ]
    return found


def print_score(made: "Score", *, rows: bool) -> None:
    """Print a score: right signs, what was left out, how far to trust it, and every row where that is asked for."""
    from breakeven.planning.scoring.trust import trust, trusted

    typer.echo("Right signs: speed-ups found / there are, slow-downs found / there are; ties within 3 % are left out")
    typer.echo(f"{'rows':58} {'n':>4} {'ties':>4}  {'model':>15} {'0.5 rule':>15} {'always on':>15}  error of S")
    for group in made.groups:
        typer.echo(_line(group))
    typer.echo(f"\n{made.read} rows read, {len(made.rows)} scored; left out:")
    for reason, ids in made.left_out.items():
        typer.echo(f"  {len(ids):4d} {_WORDS[reason.value]}{f': {_named(ids)}' if ids else ''}")
    assumed = Counter(name for row in made.rows for name in row.guess.assumed)
    if assumed:
        said = ", ".join(f"{name} in {count}" for name, count in sorted(assumed.items()))
        typer.echo(f"assumed, because the row does not say: {said} of {len(made.rows)}")
    missed = made.groups[0].missed
    typer.echo(f"slow-downs missed: {', '.join(missed) if missed else 'none'}")
    typer.echo("\nWhat it says of each row, and how often that was right (an interval is to contain 80 % of the rows)")
    for line in trust_lines(trust(trusted(made.rows))):
        typer.echo(line)
    if rows:
        for row in made.rows:
            basis = f"  assumed: {', '.join(row.guess.assumed)}" if row.guess.assumed else ""
            bounds = row.guess.interval()
            typer.echo(
                f"{row.case.id:8} measured {row.measured:5.2f}  predicted {row.guess.speedup:5.2f} "
                f"[{bounds.low:.2f}, {bounds.high:.2f}] {bounds.verdict.value}{basis}"
            )


def trust_lines(found: "tuple[Trust, ...]") -> list[str]:
    """A table of verdicts: how many rows got each, and how many of them were right."""
    lines = [f"{'kind of row':38} {'n':>4} {'in interval':>12}  {'likely pays':>16} {'unsure':>10} {'likely not':>16}"]
    for each in found:
        cells = []
        for verdict, count in each.said.items():
            share = f"{count / each.rows:.0%}"
            cells.append(f"{each.right[verdict]}/{count} ({share})" if verdict in each.right else f"{count} ({share})")
        inside = f"{each.inside / each.rows:.0%}"
        lines.append(f"{each.name:38} {each.rows:4d} {inside:>12}  {cells[0]:>16} {cells[1]:>10} {cells[2]:>16}")
    return lines


_WORDS = {
    "fitted": "that constants were fitted on",
    "comparesTwoLengths": "that compare two draft lengths",
    "noSpeedup": "without a speed-up that can be read",
    "sizeOfTargetUnknown": "whose target has no known size",
}
_NAMED = 20


def _named(ids: "tuple[str, ...]") -> str:
    more = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {more} more" if more > 0 else "")


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
