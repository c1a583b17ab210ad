"""Recorded history as the decision core sees it: what would have been decided."""
