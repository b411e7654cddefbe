"""Dockerfile → image: what each line needs, native builders for it, base images; no daemon, root or emulation."""
