"""Talks to git, and nothing else does: through the `git` program, but for one question that HTTP answers at once
(`quick_refs`).
"""
