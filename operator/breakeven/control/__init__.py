"""One pass for one key, the queue, and the ports it needs. Knows no client library."""
