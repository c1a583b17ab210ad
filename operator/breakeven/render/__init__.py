"""A variant in, engine arguments and Kubernetes objects out. Pure: no I/O, no clock."""

from breakeven.render.check import check, refusals
from breakeven.render.names import Owner, deployment_name, selector
from breakeven.render.objects import Rendering, desired

__all__ = ["Owner", "Rendering", "check", "deployment_name", "desired", "refusals", "selector"]
