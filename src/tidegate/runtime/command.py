"""What a container executes and with which variables: Kubernetes' rules over the image's configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.base.errors import InvalidInput

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; `$$` is `$`, and a name that is not defined stays as it is written.

    Follows Kubernetes' third_party/forked/golang/expansion.
    """
    out: list[str] = []
    at = 0
    while at < len(text):
        dollar = text.find("$", at)
        if dollar < 0 or dollar + 1 >= len(text):
            out.append(text[at:])
            break
        out.append(text[at:dollar])
        mark = text[dollar + 1]
        close = text.find(")", dollar) if mark == "(" else -1
        if mark == "$":
            out.append("$")
            at = dollar + 2
        elif close >= 0:
            name = text[dollar + 2 : close]
            out.append(variables.get(name, text[dollar : close + 1]))
            at = close + 1
        elif mark == "(":
            out.append("$(")
            at = dollar + 2
        else:
            out.append(text[dollar : dollar + 2])
            at = dollar + 2
    return "".join(out)


def argv_of(
    command: Sequence[str] | None,
    args: Sequence[str] | None,
    entrypoint: Sequence[str],
    cmd: Sequence[str],
    variables: Mapping[str, str],
) -> list[str]:
    """The argv: `command` replaces Entrypoint and Cmd, `args` alone replaces Cmd; InvalidInput if nothing is left."""
    given = [expand(word, variables) for word in args or ()]
    words = [*entrypoint, *(given or cmd)]
    if command:
        words = [expand(word, variables) for word in command] + given
    if not words:
        raise InvalidInput("neither the image nor the spec says what to run", remedy="give the container a command")
    return words


def image_environment(env: Sequence[str]) -> dict[str, str]:
    """An image's Env, with the PATH that every container has."""
    pairs = (entry.partition("=") for entry in env)
    return {"PATH": DEFAULT_PATH} | {name: value for name, _, value in pairs if name}


def split_user(user: str) -> tuple[str, str]:
    """An image's User: `user`, `user:group`; either a name or a number."""
    name, _, group = user.partition(":")
    return name, group


def ids_of(user: str, passwd: str, group: str) -> tuple[int, int]:
    """The uid and gid of an image's User by the image's own /etc/passwd and /etc/group.

    A user without a group has the one of passwd, else 0, as container runtimes do. InvalidInput for an unknown name.
    """
    name, group_name = split_user(user)
    accounts = [line.split(":") for line in passwd.splitlines() if line.count(":") >= 3]
    entry = next((fields for fields in accounts if name in (fields[0], fields[2])), None)
    if not name:
        uid, gid = 0, 0
    elif entry is not None and entry[2].isdigit() and entry[3].isdigit():
        uid, gid = int(entry[2]), int(entry[3])
    elif name.isdigit():
        uid, gid = int(name), 0
    else:
        raise InvalidInput(f"the image's user {name!r} is not in its /etc/passwd")
    if group_name:
        gid = _group_id(group_name, group)
    if not (0 <= uid <= 65535 and 0 <= gid <= 65535):
        raise InvalidInput(f"the image's user {user!r} is beyond 65535")
    return uid, gid


def _group_id(name: str, group: str) -> int:
    if name.isdigit():
        return int(name)
    for line in group.splitlines():
        fields = line.split(":")
        if len(fields) >= 3 and fields[0] == name and fields[2].isdigit():
            return int(fields[2])
    raise InvalidInput(f"the image's group {name!r} is not in its /etc/group")
