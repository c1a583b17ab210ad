"""The story that `make demo` tells on the embedded lab.

It sees what a user sees: the API server, Prometheus, the pods.
"""
