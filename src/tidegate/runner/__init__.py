"""Runs workflows: the plan of a run, its jobs and steps, the built-in actions, logs and progress."""
