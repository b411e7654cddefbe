"""Told, and telling: hooks of forges and registries come in, and what happened goes out."""
