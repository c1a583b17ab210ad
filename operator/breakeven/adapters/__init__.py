"""Kubernetes, Prometheus and Lease behind the ports of `control`; errors are translated here, once."""
