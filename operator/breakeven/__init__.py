"""Breakeven keeps vLLM speculative decoding on where it pays and off where it does not."""

__version__ = "0.1.0"
