"""Pages from files and addresses."""

from pathlib import Path

import pytest

from breakeven.inspect.scrape import page_url, read_page
from breakeven.inspect.text import PageError


def test_files_that_are_not_there_or_no_text_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PageError, match="No such file"):
        read_page(tmp_path / "absent.prom", at=0)
    (tmp_path / "binary.prom").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PageError, match=r"binary\.prom: not a metric page"):
        read_page(tmp_path / "binary.prom", at=0)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("10.0.0.7:8000", "http://10.0.0.7:8000/metrics"),
        ("https://engine.example/", "https://engine.example/metrics"),
        ("http://engine/custom/metrics", "http://engine/custom/metrics"),
    ],
)
def test_an_address_is_completed(address: str, url: str) -> None:
    assert page_url(address) == url


@pytest.mark.parametrize("address", ["ftp://engine", "http://", "file:///etc/passwd"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(PageError, match="is not an address"):
        page_url(address)
