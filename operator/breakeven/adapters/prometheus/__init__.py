"""Prometheus: queries, answers, and the feed that asks for all resources at once."""
