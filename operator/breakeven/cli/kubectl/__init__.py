"""`kubectl breakeven`: arguments in, text or documents out."""
