"""Replicas that hold two variants: what they say, what they should hold and wake, and who asks them."""
