"""Open-loop load for a server that answers like vLLM: arrivals do not wait for answers."""
