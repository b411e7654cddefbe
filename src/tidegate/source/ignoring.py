"""Which files a source leaves out: `spec.ignore`, `.sourceignore` files and the defaults, by Flux's rules. Pure.

What is left out is pruned from a cluster, so Flux's rules count where git's are others: of all patterns that match a
path or a folder above it the last one decides, hence a file may be taken in again below a folder that is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidegate.base.errors import LimitExceeded
from tidegate.base.frozen import frozen
from tidegate.source.patterns import WORK_LIMIT, Pattern, Work, pattern_of, patterns_of

IGNORE_FILE = ".sourceignore"
VERSION_CONTROL = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
"""Left out whatever else is said, unless a pattern takes it in again."""
DEFAULTS = (
    "*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip",
    ".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml", "cloudbuild.yaml",
    "codeship-services.yml", "codeship-steps.yml", "**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml",
)  # fmt: skip
"""Left out where neither the source nor the repository has a pattern of its own."""
PATTERNS_LIMIT = 10_000
Rule = tuple[int, Pattern]
"""A pattern, and how deep the folder lies that it is for."""


class _Rules:
    """The patterns for a folder's content, the last of which counts most; those for one plain name by that name."""

    def __init__(self, rules: Sequence[Rule]):
        self.all = tuple(rules)
        self.named: dict[str, int] = {}
        others = []
        for number, (depth, pattern) in enumerate(self.all):
            if pattern.folders_only:
                continue
            if (name := pattern.plain_name()) is not None:
                self.named[name] = number
            else:
                others.append((number, depth, pattern))
        self.others = tuple(reversed(others))


@frozen
class _Folder:
    """The patterns for a folder's content, and which of them is the last that matches the folder or one above it."""

    rules: _Rules
    decided: int


class Ignoring:
    """Says of each file of a commit whether the source leaves it out. `files` are the texts of the `.sourceignore`
    files by their folders ("" for the root), `ignore` is `spec.ignore`. LimitExceeded past the limits above.
    """

    def __init__(self, files: Mapping[str, str], ignore: str | None = None, *, limit: int = WORK_LIMIT):
        self._own = {folder: _rules_in(folder, text) for folder, text in files.items()}
        self._last = [(0, pattern) for pattern in patterns_of(ignore or "", "spec.ignore")]
        count = len(self._last) + sum(map(len, self._own.values()))
        if count > PATTERNS_LIMIT:
            raise LimitExceeded(f"a source may have at most {PATTERNS_LIMIT} patterns of files to leave out")
        first = VERSION_CONTROL if count else VERSION_CONTROL + DEFAULTS
        self._work = Work(limit)
        rules = [*((0, pattern_of(line)) for line in first), *self._own.get("", ()), *self._last]
        self._folders = {"": _Folder(_Rules(rules), -1)}

    def leaves_out(self, path: str) -> bool:
        """Whether a file is left out."""
        parts = path.split("/")
        folder = self._folder(parts[:-1])
        number = max(folder.decided, folder.rules.named.get(parts[-1], -1))
        for other, depth, pattern in folder.rules.others:
            if other <= number:
                break
            self._work.spend(1)
            # No pattern after `decided` matches a folder above: one for names can only be about this one.
            if pattern.is_of(parts[-1], self._work) if pattern.is_name else pattern.consumed(parts[depth:], self._work):
                number = other
                break
        return number >= 0 and not folder.rules.all[number][1].takes_in

    def _folder(self, parts: Sequence[str]) -> _Folder:
        name = "/".join(parts)
        if (known := self._folders.get(name)) is not None:
            return known
        above = self._folder(parts[:-1])
        if own := self._own.get(name):
            kept = len(above.rules.all) - len(self._last)
            above = _Folder(_Rules([*above.rules.all[:kept], *own, *self._last]), -1)
        self._folders[name] = found = _Folder(above.rules, self._decided(above, parts))
        return found

    def _decided(self, folder: _Folder, parts: Sequence[str]) -> int:
        rules = folder.rules.all
        self._work.spend(len(rules))
        for number in range(len(rules) - 1, folder.decided, -1):
            depth, pattern = rules[number]
            if pattern.consumed(parts[depth:], self._work):
                return number
        return folder.decided


def _rules_in(folder: str, text: str) -> list[Rule]:
    depth = folder.count("/") + 1 if folder else 0
    return [(depth, pattern) for pattern in patterns_of(text, f"{folder}/{IGNORE_FILE}".lstrip("/"))]
