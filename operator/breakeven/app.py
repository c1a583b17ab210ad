"""Composition root: builds clients, queue and kopf registry; owns the order of start and stop."""
