"""Selectors that people type: label matchers and nothing else."""

import pytest

from breakeven.backtest.selectors import SelectorError, label_matchers


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('pod="a"', 'pod="a"'),
        ('{namespace="x", pod=~"llama-.*"}', 'namespace="x",pod=~"llama-.*"'),
        ('pod=~"a\\\\.b",job!="c",', 'pod=~"a\\\\.b",job!="c"'),
        ('pod="say \\"hi\\""', 'pod="say \\"hi\\""'),
    ],
)
def test_matchers_are_written_anew(text: str, written: str) -> None:
    assert label_matchers(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        'pod!="a"',
        'pod=~".*"',
        "pod=a",
        'pod="a"} or vector(1) or x{pod="a"',
        'pod="a" job="b"',
        'rate(x{pod="a"}[5m])',
        '__name__="x"',
        'pod="a\nb"',
        'pod="a\\q"',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SelectorError):
        label_matchers(text)
