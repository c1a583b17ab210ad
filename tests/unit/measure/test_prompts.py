"""What is asked: the same for every server, and files refused by line and field."""

from pathlib import Path
from random import Random

import pytest

from breakeven.measure.prompts import Prompt, PromptSet, load_prompts, packaged


def test_the_same_seed_asks_the_same() -> None:
    prompts = load_prompts("random")
    first, second = (prompts.body(Random(7), kind="", temperature=0.4) for _ in range(2))
    assert first == second
    path, body, _ = first
    assert path == "/v1/completions"
    assert body["temperature"] == 0.4
    assert body["ignore_eos"] is True


def test_every_packaged_set_can_be_read_and_asked() -> None:
    for name in packaged():
        _, body, _ = load_prompts(name).body(Random(1), kind="", temperature=0.0)
        assert body["max_tokens"] >= 1


def test_a_class_alone_is_asked_alone() -> None:
    prompts = load_prompts("assorted")
    assert prompts.kinds == ("chat", "code", "extract")
    kinds = {prompts.body(Random(i), kind="code", temperature=0.0)[2] for i in range(30)}
    assert kinds == {"code"}


def test_a_prompt_keeps_its_own_temperature() -> None:
    prompts = PromptSet(name="x", prompts=(Prompt(text="hello", temperature=0.9),))
    assert prompts.body(Random(1), kind="", temperature=0.0)[1]["temperature"] == 0.9


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: is not JSON"),
        ("[1]", "line 2: write an object"),
        ("{}", "line 2: write either prompt or messages"),
        ('{"prompt": "a", "messages": []}', "line 2: write either prompt or messages"),
        ('{"prompt": ""}', "line 2: prompt: write a text"),
        ('{"prompt": [1, "x"]}', "line 2: prompt: write a text"),
        ('{"messages": "hello"}', "line 2: messages: write a list"),
        ('{"prompt": "a", "max_tokens": 0}', "line 2: max_tokens: write a number from 1"),
        ('{"prompt": "a", "temperature": "hot"}', "line 2: temperature: write a number from 0 to 2"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_field(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"prompt": "fine"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        load_prompts(str(path))


def test_a_missing_file_names_the_packaged_sets(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="packaged sets: random, assorted"):
        load_prompts(str(tmp_path / "none.jsonl"))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text("\n\n", encoding="utf-8")
    with pytest.raises(ValueError, match="there is no prompt in it"):
        load_prompts(str(path))
