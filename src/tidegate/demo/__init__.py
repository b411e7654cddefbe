"""The demonstration: an example repository, and the way of two commits through a Tidegate started for it."""
