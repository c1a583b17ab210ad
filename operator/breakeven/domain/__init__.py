"""Deciding: pure functions over plain values, time is an argument. Imports `api` and `engines` only."""
