"""Pages of /metrics, read from servers and files."""
