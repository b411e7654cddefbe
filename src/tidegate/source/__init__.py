"""The source station: GitRepository."""
