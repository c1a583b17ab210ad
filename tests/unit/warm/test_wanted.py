"""Reading slots.json."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.warm_process import drafting, plain, slots

from breakeven.warm.engine import expanded
from breakeven.warm.wanted import LONGEST, Unreadable, read


def written(folder: Path, content: object) -> Path:
    file = folder / "slots.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    wanted = read(written(tmp_path, slots(plain(), drafting(sleep="1"))))
    assert [spec.variant for spec in wanted.variants] == ["plain", "draft"]
    assert wanted.variants[1].env == (("BREAKEVEN_SIM_SLEEP", "1"),)
    assert (wanted.drain_s, wanted.on_drain_timeout, wanted.load_beside) == (60, "Wait", False)


def test_equal_content_is_the_same_engine_whatever_else_changed(tmp_path: Path) -> None:
    one = read(written(tmp_path, slots(plain(), drafting())))
    two = read(written(tmp_path, slots(drafting(), plain(), drainTimeout=1)))
    assert set(one.variants) == set(two.variants)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"variants": []}, "one or two"),
        ({"variants": [plain(), plain()]}, "different names"),
        ({"variants": [plain(), drafting(), drafting("third")]}, "one or two"),
        ({"variants": [{**plain(), "argv": []}]}, "argv"),
        ({"variants": [{**plain(), "variant": 'a"} 1\nx{'}]}, "no name"),
        ({"variants": 3}, "not iterable"),
        ({"first": "other"}, "first"),
        ({"onDrainTimeout": "Never"}, "onDrainTimeout"),
        ({"drainTimeout": "soon"}, "float"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(Unreadable, match=named):
        read(written(tmp_path, slots(plain()) | change))


def test_a_file_that_is_missing_too_long_or_incomplete_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        read(tmp_path / "slots.json")
    with pytest.raises(Unreadable, match="longer than"):
        read(written(tmp_path, " " * (LONGEST + 1)))
    with pytest.raises(Unreadable, match="'model' is missing"):
        read(written(tmp_path, {key: value for key, value in slots(plain()).items() if key != "model"}))
    with pytest.raises(Unreadable):
        read(written(tmp_path, "{"))


def test_references_in_arguments_are_replaced_as_kubernetes_does() -> None:
    assert expanded("--api-key=$(KEY) $$(KEY) $(OTHER) $x", {"KEY": "k"}) == "--api-key=k $(KEY) $(OTHER) $x"
