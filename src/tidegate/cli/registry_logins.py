"""The registry logins of whoever calls a command: where docker, podman, buildah and skopeo keep them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tidegate.base.errors import InvalidInput
from tidegate.oci.credentials import Credentials, Login


def login_files(environment: Mapping[str, str], home: Path) -> list[Path]:
    """Where logins may be, the first that has one wins: containers-auth.json(5), then docker's. Pure.

    `$REGISTRY_AUTH_FILE`, where it is set, is the only one.
    """
    if only := environment.get("REGISTRY_AUTH_FILE"):
        return [Path(only)]
    runtime, config = environment.get("XDG_RUNTIME_DIR"), environment.get("XDG_CONFIG_HOME")
    docker = environment.get("DOCKER_CONFIG")
    files = [Path(runtime) / "containers" / "auth.json"] if runtime else []
    files.append((Path(config) if config else home / ".config") / "containers" / "auth.json")
    files.append((Path(docker) if docker else home / ".docker") / "config.json")
    return files


def own_logins() -> Credentials:
    """The logins of all these files; InvalidInput names one that is no such file. Credential helpers aren't asked."""
    logins: dict[str, Login] = {}
    for path in reversed(login_files(os.environ, Path.home())):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InvalidInput(f"the logins in {path} can't be read: {error.strerror}") from error
        try:
            logins.update(Credentials.from_docker_config(data).logins)
        except InvalidInput as error:
            raise InvalidInput(f"{path}: {error}", remedy="mend it, or log in again") from None
    return Credentials(logins)
