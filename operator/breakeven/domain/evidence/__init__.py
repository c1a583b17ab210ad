"""From an observation to a judgement: what may be compared, what it says, and why there is no verdict."""
