"""From the bytes of a saved or fetched page to its samples, whatever the tool that saved it did to them."""

import re
import zlib
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

MAX_BYTES = 32 * 1024 * 1024
"""A page of one engine has tens of kilobytes."""
SAVE_IT = "save the page with: curl -s http://HOST:8000/metrics -o FILE"

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""Byte order marks; PowerShell writes one in front of what `>` and Out-File save."""
_GZIP = b"\x1f\x8b"
_PACKED = ((b"PK\x03\x04", "zip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"))
_MOST = 10**300
_EXEMPLAR = " # {"
"""What OpenMetrics may write behind a value."""
_SAMPLE = re.compile(
    r"\s*(?:[A-Za-z_:][\w:.]*\s*(?:\{.*\})?|\{.*\})\s*[ \t}]\s*[-+]?(?:[0-9.][0-9.eE+-]*|nan|inf)(?:\s+-?[0-9.]+)?\s*",
    re.IGNORECASE,
)
"""A line of the exposition format: name, labels, value, and perhaps a time."""


class PageError(Exception):
    """A page cannot be had or is not a vLLM's; the message says which and what to do."""


def decoded(body: bytes) -> str:
    """Text of a page: gzip is unpacked, byte order marks and UTF-16 are understood.

    Raises
    ------
    PageError
        If it is no text, or larger than `MAX_BYTES`.
    """
    if body.startswith(_GZIP):
        body = _unpacked(body)
    if len(body) > MAX_BYTES:
        raise PageError(f"the page is larger than {MAX_BYTES >> 20} MiB")
    packed = next((name for mark, name in _PACKED if body.startswith(mark)), None)
    if packed is not None:
        raise PageError(f"not a metric page: this is a {packed} file; unpack it first")
    try:
        return body.decode(_encoding(body)).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise PageError(f"not a metric page: line {line} is neither UTF-8 nor UTF-16; {SAVE_IT}") from None


def _encoding(body: bytes) -> str:
    marked = next((name for mark, name in _MARKS if body.startswith(mark)), None)
    if marked is not None:
        return marked
    head = body[:256]
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    return "utf-16-be" if head[0::2].count(0) > len(head) // 4 else "utf-8"


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise PageError(f"not a metric page: it begins like gzip and cannot be unpacked ({error})") from None


def samples(text: str) -> list[Sample]:
    """Every sample of a page, under the name it is written with.

    Lines before the first one of the page, such as HTTP headers or a tool's greeting, are passed over.

    Raises
    ------
    PageError
        If there is no sample, or a later line is none: with its number.
    """
    lines = list(_from_first(text))
    if not lines:
        raise PageError(f"not a metric page: no line of it is a metric; {SAVE_IT}")
    # Without its `# TYPE` lines the parser leaves names alone; it would write `_total` behind every counter.
    try:
        return _parsed("\n".join(line for _, line in lines))
    except ValueError:
        pass
    for number, line in lines:
        try:
            _parsed(line)
        except ValueError:
            raise PageError(
                f"not a metric page: line {number} is no metric: {line.strip()[:60]!r}; take it out, or {SAVE_IT}"
            ) from None
    raise PageError(f"not a metric page; {SAVE_IT}")


def _from_first(text: str) -> Iterator[tuple[int, str]]:
    begun = False
    for number, line in enumerate(text.split("\n"), 1):
        comment = line.lstrip().startswith("#")
        sample = line.partition(_EXEMPLAR)[0]
        begun = begun or line.startswith(("# HELP ", "# TYPE ")) or _SAMPLE.fullmatch(sample) is not None
        if begun and line.strip() and not comment:
            yield number, sample


def _parsed(text: str) -> list[Sample]:
    found = [s for family in text_string_to_metric_families(text + "\n") for s in family.samples]
    if any(isinstance(s.value, int) and abs(s.value) > _MOST for s in found):  # the parser reads any number of digits
        raise ValueError("no counter is so large")
    return found
