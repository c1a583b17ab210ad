"""Whether pages belong together: two of one server in time, and a server with its control."""

from collections.abc import Sequence
from itertools import pairwise

from breakeven.domain.inspection import NotComparable, Reading
from breakeven.inspect.page import Page

_SAME_START_S = 1.0
"""A process tells its start to a hundredth of a second, and always the same."""
FEW_DRAFTS = 0.5
"""Share of the steps that draft, below which a reader should know of it."""


def check_one_server(pages: Sequence[Page]) -> None:
    """See that consecutive pages are of one process. Raises NotComparable with what differs."""
    for first, second in pairwise(pages):
        why = _other_server(first, second)
        if why:
            raise NotComparable(f"{why}: the pages are not of one server")


def _other_server(first: Page, second: Page) -> str:
    if first.model and second.model and first.model != second.model:
        return f"the first page is of model {first.model} and the second of {second.model}"
    if first.speculates and not second.speculates:
        return "the first page has counters of drafts and the second has none"
    if second.speculates and not first.speculates and not second.scrape.totals.drafts_on_v0:
        return "the second page has counters of drafts and the first has none"
    if first.ranks != second.ranks:
        return f"the first page has ranks {_named(first.ranks)} and the second {_named(second.ranks)}"
    positions = [len(p.scrape.totals.accepted_at) for p in (first, second)]
    if all(positions) and positions[0] != positions[1]:
        return f"the first page drafts up to {positions[0]} tokens and the second {positions[1]}"
    starts = first.started, second.started
    if starts[0] is not None and starts[1] is not None and abs(starts[0] - starts[1]) > _SAME_START_S:
        return "the pages name different start times of the process, so it restarted in between, or"
    return ""


def _named(ranks: frozenset[str]) -> str:
    return ", ".join(sorted(ranks)) or "without a name"


def check_control(server: Page, control: Page) -> None:
    """See that a control is one. Raises NotComparable when it speculates."""
    if control.speculates:
        swapped = "" if server.speculates else " and the server does not: they look swapped"
        raise NotComparable(
            f"the control speculates{swapped}; S compares with the same model without speculation, so give the address "
            "or pages of such a server"
        )


def remarks(pages: Sequence[Page], controls: Sequence[Page], reading: Reading) -> list[str]:
    """What a reader of the figures should know, of the pages of a server and of its control, if there is one."""
    found = _of_any(pages)
    drafts, steps = reading.totals.drafts, reading.totals.steps
    if drafts is not None and steps and drafts < FEW_DRAFTS * steps:
        found.append(
            f"only {100 * drafts / steps:.0f} % of the steps drafted: tokens per step are far from 1 + accepted tokens "
            "per draft"
        )
    if not controls:
        return found
    found += [f"control: {remark}" for remark in _of_any(controls)]
    server, control = pages[-1], controls[-1]
    if server.model != control.model:
        found.append(
            f"the server serves {server.model or 'a model without a name'} and the control "
            f"{control.model or 'a model without a name'}: S means something only if that is one model under two names"
        )
    if not server.speculates:
        found.append("the server has no counters of drafts: S compares two servers without speculation")
    return found


def _of_any(pages: Sequence[Page]) -> list[str]:
    return list(dict.fromkeys(remark for page in pages for remark in page.remarks))
