"""How a person names whose API a Git host has. Pure."""

from __future__ import annotations

from collections.abc import Mapping

FORGES: Mapping[str, str] = {"github": "github", "gitea": "gitea", "forgejo": "gitea", "gitlab": "gitlab"}
"""What may be said, and whose API that is."""
