"""What a step's script may push to a registry, and what it hands to later steps. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from tidegate.base.frozen import frozen
from tidegate.lint.holes import ANY, DIGITS, HEX, NAME, literal
from tidegate.lint.shell import Command, read_commands

_BUILDERS = frozenset(("docker", "podman", "nerdctl", "buildah", "img", "depot"))
_COPIERS = frozenset(("crane", "skopeo", "oras", "regctl", "imgpkg", "cosign"))
_OTHERS = frozenset(
    ("ko", "pack", "kaniko", "executor", "/kaniko/executor", "jib", "docker-compose", "earthly", "werf")
)
_RUNNERS = re.compile(
    r"(?:\.{0,2}/.*|.*\.(?:sh|bash|py|js|rb|pl)|make|just|task|npm|npx|yarn|pnpm|gradle|mvn|bazel|nix|rake|tox|nox|dagger|"
    r"goreleaser|skaffold|helm|uses|xargs|bash|sh|python3?|node)"
)
_TOOLS = re.compile(r"\b(?:docker|podman|nerdctl|buildah|skopeo|crane|oras|regctl|kaniko|ko)\b")
_PUSHING = re.compile(r"\b(?:push|copy|cp|sync|tag|publish|create|bake|append|retag|destination)\b")
_STARTING = re.compile(r"\bgit\b.*\bpush\b|\bgh\b.*\b(?:workflow run|release create)\b|/dispatches\b", re.DOTALL)
_VERBS = 4
"""Among how many of the first words that are no options a verb is looked for: options may have values."""
_VALUED = re.compile(r"--?[\w-]+")
_PAIR = re.compile(r"([A-Za-z_][\w-]*)=(.*)", re.DOTALL)
_POSIX = re.compile(r"(?:/\S*/)?(?:ba|da|z)?sh\b.*")


@frozen
class Pushed:
    """A reference that may be pushed, with holes, and the line of the script (from 0)."""

    reference: str
    line: int


@frozen
class Script:
    """What a script may do. `outputs` and `variables` are what it hands on, None where that could be anything.
    `runs_others` says that it starts programs of which nothing is known; `starts` that it may start other workflows.
    """

    pushes: tuple[Pushed, ...] = ()
    outputs: Mapping[str, str] | None = None
    variables: Mapping[str, str] | None = None
    runs_others: bool = False
    logs_in: bool = False
    starts: bool = False


def read_script(script: str, known: Mapping[str, str], shell: str | None = None) -> Script:
    """Read a step's script in the environment `known`. Only shells are understood; of others anything is expected."""
    if shell is not None and not _POSIX.fullmatch(shell):
        whole = (Pushed(ANY, 0),) if _TOOLS.search(script) else ()
        return Script(whole, None, None if "GITHUB_ENV" in script else {}, runs_others=True)
    commands = read_commands(script, {"GITHUB_OUTPUT": "$GITHUB_OUTPUT", "GITHUB_ENV": "$GITHUB_ENV", **known})
    return Script(
        pushes=tuple(found for command in commands for found in _pushes(command)),
        outputs=_handed(commands, script, "GITHUB_OUTPUT"),
        variables=_handed(commands, script, "GITHUB_ENV"),
        runs_others=any(_RUNNERS.fullmatch(command.words[0]) or ANY in command.words[0] for command in commands),
        logs_in=bool(re.search(r"\blogin\b", script)),
        starts=bool(_STARTING.search(script)),
    )


def _pushes(command: Command) -> Iterator[Pushed]:
    words = command.words
    head = words[0].rpartition("/")[2]
    if head in _BUILDERS:
        references = _by_builder(words[1:])
    elif head in _COPIERS:
        references = _by_copier(head, words[1:])
    elif head in _OTHERS:
        references = _destinations(words) or [ANY]
    elif len(words) > 1 and head not in ("echo", "printf") and _names_a_push(" ".join(words[1:])):
        references = [ANY]  # `retry docker push …`, `bash -c '…'`: somebody else runs it
    else:
        references = []
    for reference in references:
        yield Pushed(reference.removeprefix("docker://").strip(), command.line)


def _names_a_push(text: str) -> bool:
    return bool(_TOOLS.search(text) and _PUSHING.search(text))


def _by_builder(words: Sequence[str]) -> list[str]:
    """docker, podman, buildah: `push`, `build --push`, `buildx imagetools create`, `manifest push`, `compose push`."""
    verbs = [word for word in words if not word.startswith("-")]
    if not verbs:
        return []
    if any(verb in ("compose", "bake", "stack") for verb in verbs[:_VERBS]):
        return [ANY] if any(word.startswith(("push", "--push", "--set")) or word == ANY for word in words) else []
    if "imagetools" in verbs[:_VERBS]:
        return _tags(words) or [ANY]
    if "push" in verbs[:_VERBS]:
        behind = verbs[verbs.index("push") + 1 :]
        everything = any(word in ("-a", "--all-tags") for word in words)
        return [f"{word}:{ANY}" if everything else word for word in behind] or [ANY]
    if any(verb in ("build", "bud", "build-using-dockerfile", "b") for verb in verbs[:_VERBS]) and _is_pushing(words):
        return _tags(words) or [ANY]
    return [ANY] if any(ANY in verb for verb in verbs[:_VERBS]) else []


def _is_pushing(words: Sequence[str]) -> bool:
    """Whether a build pushes: by --push, by an output that goes to a registry, or perhaps by an option that is open."""
    text = " ".join(words)
    return "--push" in text or "registry" in text or "push=true" in text or any(word == ANY for word in words)


def _tags(words: Sequence[str]) -> list[str]:
    """The values of -t and --tag; any text where an option itself is open."""
    found = [ANY] if any(word == ANY for word in words) else []
    for place, word in enumerate(words):
        if word in ("-t", "--tag", "--manifest") and place + 1 < len(words):
            found.append(words[place + 1])
        elif word.startswith(("--tag=", "--manifest=")):
            found.append(word.partition("=")[2])
        elif re.match(r"-t[^-]", word) and len(word) > 2:
            found.append(word[2:].removeprefix("="))
        elif match := re.search(r"(?:^|,)name=([^,]+)", word):
            found.append(f"{match[1]}{ANY}")
    return found


def _destinations(words: Sequence[str]) -> list[str]:
    found = [word.partition("=")[2] for word in words if word.startswith("--destination=")]
    return found + [words[n + 1] for n, word in enumerate(words[:-1]) if word in ("--destination", "-d")]


def _by_copier(head: str, words: Sequence[str]) -> list[str]:
    """Tools that copy or tag in registries: whatever they name may be where it goes."""
    if not _PUSHING.search(" ".join(words)) and ANY not in "".join(words):
        return []
    named = [word for word in words[1:] if not _VALUED.fullmatch(word)]
    tagged = "tag" in words[:2]
    return [re.sub(r":[^/:]*$", "", word) + f":{ANY}" if tagged and "/" in word else word for word in named] or [ANY]


def _handed(commands: Sequence[Command], script: str, file: str) -> Mapping[str, str] | None:
    """The `NAME=VALUE` lines that `echo` writes to a file of the runner's; None where something else writes it, too."""
    if file not in script:
        return {}
    mentions = len(re.findall(rf"\b{file}\b", script))
    grouped = re.search(r"^\s*\{", script, re.MULTILINE) is not None
    writing = [command for command in commands if any(file in target for target in command.writes)]
    groups = mentions - len(writing)
    if groups and not (grouped and file == "GITHUB_OUTPUT"):
        return None
    found: dict[str, str] = {}
    for command in commands if groups else writing:
        pair = _PAIR.fullmatch(command.words[1]) if len(command.words) == 2 and command.words[0] == "echo" else None
        if pair is None and (command in writing or not command.words[0].startswith(("echo", "{", "}"))):
            if command in writing:
                return None
            continue
        if pair is not None:
            value = ANY if command.perhaps else pair[2]
            found[pair[1]] = value if found.get(pair[1]) in (None, value) else ANY
    return found


def environment_of(repository: str, ref: str) -> dict[str, str]:
    """The variables of every step that say something of an image's name, as far as they are known before a run."""
    return {
        "GITHUB_SHA": HEX,
        "GITHUB_RUN_NUMBER": DIGITS,
        "GITHUB_RUN_ID": DIGITS,
        "GITHUB_RUN_ATTEMPT": DIGITS,
        "GITHUB_REPOSITORY": repository,
        "GITHUB_REPOSITORY_OWNER": NAME,
        "GITHUB_REF": ref,
        "GITHUB_REF_NAME": literal(ref.removeprefix("refs/heads/")),
    }
