"""Scoring the step-time model against published measurements: rows in, predictions and honest sums out."""
