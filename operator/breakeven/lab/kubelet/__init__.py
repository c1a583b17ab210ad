"""Fake nodes and a kubelet that runs pods as local processes, each on its own loopback address."""
