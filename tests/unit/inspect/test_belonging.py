"""Pages that do not belong together."""

from pathlib import Path

import pytest

from breakeven.domain.inspection import NotComparable, reading
from breakeven.inspect.belonging import check_control, check_one_server, remarks
from breakeven.inspect.page import Page, parse

FIELD = Path(__file__).parents[2] / "data" / "field"


def page(name: str, *replaced: tuple[str, str], extra: str = "") -> Page:
    text = (FIELD / f"{name}.prom").read_text() + extra
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return parse(text, at=0)


def test_two_pages_of_one_server_belong_together() -> None:
    for name in ("a", "b", "v0s", "rank"):
        check_one_server([page(f"{name}0"), page(f"{name}1")])


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (page("a0"), page("b1"), "first page has counters of drafts and the second has none"),
        (page("b0"), page("a1"), "second page has counters of drafts and the first has none"),
        (
            page("a0"),
            page("a1", ("acme/chat-8b", "acme/chat-70b")),
            "of model acme/chat-8b and the second of acme/chat-70b",
        ),
        (page("a0"), page("a1", ('engine="0"', 'engine="1"')), "ranks 0 and the second 1"),
        (page("a0"), page("a1", ('position="2"', 'other="2"')), "drafts up to 3 tokens and the second 2"),
        (
            page("a0", extra="process_start_time_seconds 1.0e9\n"),
            page("a1", extra="process_start_time_seconds 1.1e9\n"),
            "different start times of the process",
        ),
    ],
    ids=["plain after", "plain before", "model", "rank", "draft length", "start"],
)
def test_pages_of_two_servers_are_refused_with_what_differs(first: Page, second: Page, words: str) -> None:
    with pytest.raises(NotComparable, match=words):
        check_one_server([first, second])


def test_a_v0_engine_may_begin_to_draft_between_two_pages() -> None:
    before = parse('vllm:generation_tokens_total{model_name="acme/chat-70b"} 1\n', at=0)
    check_one_server([before, page("v0s1")])


def test_a_control_that_speculates_is_refused() -> None:
    check_control(page("a1"), page("b1"))
    with pytest.raises(NotComparable, match="the control speculates; S compares"):
        check_control(page("a1"), page("a1"))
    with pytest.raises(NotComparable, match="they look swapped"):
        check_control(page("b1"), page("a1"))


def said(server: str, control: Page | None = None) -> str:
    pages = page(f"{server}0"), page(f"{server}1")
    return " | ".join(remarks(pages, [control] if control else [], reading([p.scrape for p in pages])))


def test_a_control_of_another_model_and_a_server_that_does_not_speculate_are_remarked() -> None:
    assert said("a", page("b1")) == ""
    other = page("b1", ("acme/chat-8b", "acme/chat-70b"))
    assert "the server serves acme/chat-8b and the control acme/chat-70b" in said("a", other)
    assert "S compares two servers without speculation" in said("b", page("b1"))


def test_a_small_share_of_steps_that_draft_is_remarked() -> None:
    line = 'vllm:spec_decode_num_drafts_total{engine="0",model_name="acme/chat-8b"} '
    rare = page("a1", (f"{line}5450.0", f"{line}599.0"))
    found = reading([page("a0").scrape, rare.scrape])
    assert "only 2 % of the steps drafted" in remarks([rare], [], found)[0]


def test_what_is_wrong_with_either_page_is_remarked_once() -> None:
    text = (FIELD / "a0.prom").read_text()
    cut = parse("\n".join(line for line in text.splitlines() if "spec_decode" in line), at=0)
    found = remarks([cut, page("a1")], [], reading([cut.scrape, page("a1").scrape]))
    assert len(found) == 1
    assert "it was cut" in found[0]
