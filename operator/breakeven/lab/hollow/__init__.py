"""Hollow pods: marked Ready without a process, for runs of scale. Every figure that they show is simulated."""
