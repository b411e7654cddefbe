"""Talks to the Kubernetes API, whoever serves it; nothing else does."""
