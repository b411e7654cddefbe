"""Talks to git through the `git` program, and nothing else does."""
