"""Platforms as OCI writes them: `linux/arm/v7`."""

from __future__ import annotations

import os

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen

_MACHINES = {
    "x86_64": ("amd64", ""), "amd64": ("amd64", ""), "aarch64": ("arm64", ""), "arm64": ("arm64", ""),
    "armv7l": ("arm", "v7"), "armv8l": ("arm", "v7"), "armv6l": ("arm", "v6"),
}  # fmt: skip
_DEFAULT_VARIANTS = {("arm64", "v8"): "", ("arm", ""): "v7", ("amd64", "v1"): ""}
_SYNONYMS = {"aarch64": "arm64", "x86_64": "amd64", "x86-64": "amd64", "armhf": "arm", "i386": "386"}


@frozen(order=True)
class Platform:
    """An operating system, an architecture and a variant, normalised as containerd does (`linux/arm64/v8` = arm64)."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `os/architecture[/variant]`; InvalidInput names what is wrong."""
        parts = text.strip().lower().split("/")
        if not 2 <= len(parts) <= 3 or not all(parts):
            raise InvalidInput(f"{text!r} is no platform", remedy="write os/architecture[/variant], as linux/arm/v7")
        architecture = _SYNONYMS.get(parts[1], parts[1])
        variant = parts[2] if len(parts) == 3 else ""
        return cls(parts[0], architecture, _DEFAULT_VARIANTS.get((architecture, variant), variant))

    @classmethod
    def of_machine(cls) -> Platform:
        """The platform of this machine."""
        machine = os.uname().machine
        architecture, variant = _MACHINES.get(machine, (machine, ""))
        return cls("linux", architecture, variant)

    def as_json(self) -> dict[str, str]:
        """The form that an image index holds."""
        value = {"architecture": self.architecture, "os": self.os}
        return value | {"variant": self.variant} if self.variant else value
