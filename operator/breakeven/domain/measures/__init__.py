"""Figures with bounds from batches: speed-up, acceptance, latency, lengths, and the tests that are made on them."""
