"""docker/setup-qemu-action and docker/setup-buildx-action: nothing needs to be set up here; they say what is used."""

from __future__ import annotations

from tidegate.kinds.platform import Platform
from tidegate.runner.actions.action import Call, Inputs, Outputs

FOREIGN = ("linux/amd64", "linux/arm64", "linux/arm/v7")


class SetupQemu:
    """No emulation is set up: images for other platforms are put together on this one."""

    inputs = Inputs(
        "docker/setup-qemu-action", known={"platforms": "all"}, accepted=frozenset({"image", "cache-image"})
    )

    async def run(self, call: Call) -> Outputs:
        """Output `platforms`, as the real action gives it."""
        asked = call.text("platforms")
        platforms = list(FOREIGN) if asked in ("", "all") else call.items("platforms")
        await call.bench.say(
            "No emulator is set up here: images for other platforms are put together without running their programs.",
            f"Platforms: {', '.join(platforms)}",
        )
        return {"platforms": ",".join(platforms)}


class SetupBuildx:
    """Tidegate's own builder stands in for BuildKit."""

    inputs = Inputs(
        "docker/setup-buildx-action",
        accepted=frozenset({
            "version", "driver", "driver-opts", "buildkitd-flags", "buildkitd-config", "buildkitd-config-inline",
            "config", "config-inline", "install", "use", "name", "endpoint", "platforms", "append", "cache-binary",
            "cleanup", "keep-state",
        }),
    )  # fmt: skip

    async def run(self, call: Call) -> Outputs:
        """Outputs `name`, `driver`, `platforms`, `endpoint`, `status`, `flags`, `nodes`, as the real action's."""
        machine = str(Platform.of_machine())
        platforms = ",".join(dict.fromkeys((machine, *FOREIGN)))
        await call.bench.say(
            "Images are built by Tidegate itself, without Docker or BuildKit.",
            "Name:      tidegate",
            "Driver:    tidegate",
            f"Platforms: {platforms}",
        )
        return {
            "name": "tidegate",
            "driver": "tidegate",
            "platforms": platforms,
            "endpoint": "",
            "status": "running",
            "flags": "",
            "nodes": "[]",
        }
