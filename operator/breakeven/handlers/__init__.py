"""kopf: events become keys; login, health and shutdown."""
