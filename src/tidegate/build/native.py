"""What it is not to be native, in one place for all that read a RUN."""

from __future__ import annotations

NATIVE = (
    "without a sandbox only what docs/build.md lists is built: pip install, apt-get install, and commands on files "
    "such as mkdir, cp or useradd. Instead: make it in a step of the workflow or commit it, and "
    "COPY it; or have Debian's package in the base: tidegate up --base FROM=debian:bookworm,python3,PACKAGE"
)
"""What to do about a line that must run where nothing can run it."""


class NotNative(Exception):
    """Why a RUN can't be built natively: a few words, such as "`make` must be run"."""
