"""Releases in words: `0.15.1 to 0.33.0`, never a list of fifty."""

from collections.abc import Sequence


def release_ranges(have: Sequence[str], every: Sequence[str]) -> str:
    """Name releases as ranges over all known ones; the newest is followed by "and newer", none is "no release"."""
    if not have:
        return "no release"
    place = {name: i for i, name in enumerate(every)}
    runs: list[list[str]] = []
    for name in have:
        if runs and place[name] == place[runs[-1][-1]] + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    return " and ".join(_run(run, newest=every[-1]) for run in runs)


def _run(run: Sequence[str], *, newest: str) -> str:
    if run[-1] == newest:
        return f"{run[0]} and newer" if len(run) > 1 else newest
    return f"{run[0]} to {run[-1]}" if len(run) > 1 else run[0]
