"""docker/login-action: keeps a registry login in memory for this job's builds. It is written nowhere."""

from __future__ import annotations

from tidegate.base.errors import InvalidInput
from tidegate.oci.credentials import Login
from tidegate.runner.actions.action import Call, Inputs, Outputs

DOCKER_HUB = "docker.io"


class DockerLogin:
    """Remembers who we are at a registry, until the job ends."""

    inputs = Inputs(
        "docker/login-action",
        known={"registry": "", "username": "", "password": ""},
        accepted=frozenset({"logout"}),
        secret=frozenset({"password"}),
        refused={
            "ecr": "Amazon's own login is not known here",
            "scope": "a login counts for its whole registry",
            "registry-auth": "one step logs in at one registry",
        },
    )

    async def run(self, call: Call) -> Outputs:
        """No outputs. Raises InvalidInput without a username or password."""
        registry = call.text("registry").removeprefix("https://").rstrip("/") or DOCKER_HUB
        username, password = call.text("username"), call.text("password")
        if not username or not password:
            missing = "username" if not username else "password"
            raise InvalidInput(f"{missing} is required for {registry}", where=call.where)
        call.bench.state.logins[registry] = Login(username, password)
        await call.bench.say(f"The login for {registry} as {username} is kept in memory until this job ends.")
        return {}
