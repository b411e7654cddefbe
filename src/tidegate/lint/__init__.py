"""The static proof that no automation commit starts the build that caused it, and other checks of a repository."""
