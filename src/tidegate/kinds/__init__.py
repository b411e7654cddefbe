"""The vocabulary: metadata, conditions, durations, image references, platforms, and a module per kind. Pure."""
