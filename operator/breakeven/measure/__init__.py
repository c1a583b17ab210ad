"""Measuring one or two running servers under a load of our own, and the verdict that follows."""
