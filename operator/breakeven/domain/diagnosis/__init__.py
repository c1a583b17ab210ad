"""Why speculation does worse than it did: named, with its figures; nothing is switched for it."""
