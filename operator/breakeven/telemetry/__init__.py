"""The operator's own metrics and logging."""
