"""What a reader is told of a decision: conditions, the evidence in status, and what speculation gained."""
