"""Talks to git, and nothing else does: through the `git` program, but for what one request over HTTP does at once:
asking where refs are (`quick_refs`), pushing a few commits (`quick_push`).
"""
