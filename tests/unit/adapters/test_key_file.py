"""The key of warm replicas, as it is mounted."""

from pathlib import Path

import pytest

from breakeven.adapters.key_file import KeyFile
from breakeven.control.warm.key import token_digest, token_of
from breakeven.control.warm.state import Doing, Order


def test_key_is_read_anew_each_time_without_the_line_end(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("one key that is long enough\n")
    key = KeyFile(file)
    assert key.read() == b"one key that is long enough"
    file.write_text("another that is long enough")
    assert key.read() == b"another that is long enough"


@pytest.mark.parametrize("path", [None, Path("/nowhere/key")])
def test_a_key_that_is_not_there_says_what_to_do(path: Path | None) -> None:
    with pytest.raises(ValueError, match=r"Warm needs the operator's switching key"):
        KeyFile(path).read()


def test_tokens_differ_by_resource_and_key_and_their_digest_does_not_give_them_away() -> None:
    key, other = b"k" * 16, b"l" * 16
    tokens = {token_of(key, "uid-1"), token_of(key, "uid-2"), token_of(other, "uid-1")}
    assert len(tokens) == 3
    assert token_digest(token_of(key, "uid-1")) not in tokens


def test_a_key_that_could_be_guessed_is_not_taken() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        token_of(b"short", "uid")


def test_an_order_carries_no_token() -> None:
    assert "token" not in repr(Order(uid="u", address="10.0.0.1", doing=Doing.WAKE))
