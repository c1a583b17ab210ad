"""Numbers that a plan reads from `engine.extraArgs`: how the model is spread, and how many requests run at once."""

from collections.abc import Sequence

_SPELLINGS = {
    "--pipeline-parallel-size": ("-pp",),
    "--data-parallel-size": ("-dp",),
    "--max-num-seqs": (),
}


def number(arguments: Sequence[str], flag: str) -> int | None:
    """The last positive whole number given for a flag, as `--flag=N` or `--flag N`; None when there is none."""
    names = (flag, *_SPELLINGS[flag])
    found = None
    for place, item in enumerate(arguments):
        name, equals, value = item.partition("=")
        if not equals and place + 1 < len(arguments):
            value = arguments[place + 1]
        if name.replace("_", "-") in names and value.isdecimal() and int(value) > 0:
            found = int(value)
    return found
