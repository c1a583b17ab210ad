"""Planning: what a variant needs, whether it starts, and whether it is likely to pay. Pure, offline, never a
verdict."""
