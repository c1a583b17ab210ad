"""A simulated vLLM server: measured step times, assumed acceptance, vLLM's arguments, endpoints and metrics page."""
