"""The supervisor of a warm replica: two engines on loopback ports, one awake (docs/adr/0021-warm-replica.md).

These files are mounted into engine pods and run there by the image's own Python (3.10 or newer), so they use its
standard library only and nothing else of this package. `python -m breakeven.warm --help` runs them here.
"""
