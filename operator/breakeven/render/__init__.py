"""Rendering: from a variant to Kubernetes objects, pure."""
