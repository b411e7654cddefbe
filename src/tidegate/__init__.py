"""Tidegate carries a commit one way, from Git to the running workload."""
