"""What tools make of a page when they save it."""

import gzip

import pytest

from breakeven.inspect.text import MAX_BYTES, PageError, decoded, samples

PAGE = '# TYPE vllm:generation_tokens_total counter\nvllm:generation_tokens_total{model_name="m"} 5.0\n'


def names(text: str) -> list[str]:
    return [sample.name for sample in samples(text)]


@pytest.mark.parametrize(
    "body",
    [
        PAGE.encode(),
        PAGE.encode("utf-8-sig"),
        PAGE.encode("utf-16"),
        b"\xfe\xff" + PAGE.encode("utf-16-be"),
        PAGE.encode("utf-16-le"),
        PAGE.encode("utf-16-be"),
        gzip.compress(PAGE.encode()),
        gzip.compress(PAGE.encode("utf-16")),
        PAGE.replace("\n", "\r\n").encode(),
    ],
    ids=["plain", "bom", "utf-16", "utf-16-be", "no mark, le", "no mark, be", "gzip", "gzip of utf-16", "crlf"],
)
def test_every_way_a_tool_saves_text_is_read(body: bytes) -> None:
    assert decoded(body) == PAGE


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"vllm:x 1\n\xff\xff\n", "line 2 is neither UTF-8 nor UTF-16"),
        (b"\x1f\x8bnothing", "cannot be unpacked"),
        (b"PK\x03\x04rest", "this is a zip file"),
        (b"\x28\xb5\x2f\xfdrest", "this is a zstd file"),
        (gzip.compress(b"0" * (MAX_BYTES + 2)), "larger than 32 MiB"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(body: bytes, words: str) -> None:
    with pytest.raises(PageError, match=words):
        decoded(body)


@pytest.mark.parametrize(
    "first",
    [
        "HTTP/1.1 200 OK\ndate: Tue, 24 Nov 2026 10:00:00 GMT\nserver: uvicorn\ncontent-length: 6000\n\n",
        'Defaulted container "engine" out of: engine, proxy\n',
        "Forwarding from 127.0.0.1:8000 -> 8000\n",
        "  % Total    % Received % Xferd  Average Speed   Time\n100  6000  100  6000    0     0\n",
        "$ curl -s http://10.0.0.7:8000/metrics\n",
        "# saved on Tuesday\nby hand\n",
    ],
)
def test_what_a_tool_says_before_the_page_is_passed_over(first: str) -> None:
    assert names(first + PAGE) == ["vllm:generation_tokens_total"]


def test_a_foreign_line_inside_a_page_is_named_by_its_number() -> None:
    with pytest.raises(PageError, match=r"line 3 is no metric: '\$ exit'; take it out, or save the page with: curl"):
        samples(PAGE + "$ exit\n")


def test_text_without_any_sample_is_no_page() -> None:
    for text in ("", "<html>\n", "# HELP only comments\n"):
        with pytest.raises(PageError, match="no line of it is a metric"):
            samples(text)


def test_names_are_read_as_they_are_written() -> None:
    typed = "# TYPE x counter\nx 5\n# TYPE y_total counter\ny_total 5\n"
    assert names(typed) == ["x", "y_total"]


def test_an_exemplar_behind_a_value_is_passed_over() -> None:
    (sample,) = samples('vllm:x_bucket{le="1"} 5 # {trace_id="a b"} 0.5 1700000000\n# EOF\n')
    assert (sample.name, sample.value) == ("vllm:x_bucket", 5)
