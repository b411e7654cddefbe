"""Names that come from data (refs, object ids, paths in a tree), checked before git sees them. Pure."""

from __future__ import annotations

import re

from tidegate.base.errors import InvalidInput

ZERO = "0" * 40
PATH_LIMIT = 4096
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_REF_LIMIT = 1024


def is_object_id(text: str) -> bool:
    """Whether the text is a full object id, SHA-1 or SHA-256, in lower case."""
    return _OBJECT_ID.fullmatch(text) is not None


def check_object_id(text: str) -> str:
    """The id itself; InvalidInput where it is no full object id."""
    if not is_object_id(text):
        raise InvalidInput(f"{text!r} is no full object id")
    return text


def check_ref(ref: str) -> str:
    """The ref itself (`refs/…`); InvalidInput where git-check-ref-format(1) would refuse it."""
    parts = ref.split("/")
    bad = (
        parts[0] != "refs"
        or len(parts) < 3
        or len(ref) > _REF_LIMIT
        or _FORBIDDEN.search(ref) is not None
        or ref.endswith((".", "/"))
        or any(not part or part.startswith((".", "-")) or part.endswith(".lock") for part in parts)
    )
    if bad:
        raise InvalidInput(f"{ref!r} is no name of a ref", remedy="write it in full, as refs/heads/main")
    return ref


def branch_ref(branch: str) -> str:
    """`main` → `refs/heads/main`; InvalidInput where that is no name of a branch."""
    if not branch or branch == "HEAD":
        raise InvalidInput(f"{branch!r} is no name of a branch")
    if branch.startswith("refs/heads/"):  # which could be made, and then git takes no push to that branch any more
        raise InvalidInput(f"{branch!r} is a whole ref", remedy=f"write the branch's name: {branch[11:]}")
    return check_ref(f"refs/heads/{branch}")


def revision(text: str) -> str:
    """What git may be asked to resolve: HEAD, a full object id, a full ref, or a branch's short name."""
    if text == "HEAD" or is_object_id(text):
        return text
    return check_ref(text) if text.startswith("refs/") else branch_ref(text)


def check_path(path: str) -> str:
    """The path itself; InvalidInput where it could not be a file of a tree, or would lie in a `.git`."""
    parts = path.split("/")
    bad = (
        len(path) > PATH_LIMIT
        or "\0" in path
        or any(part in ("", ".", "..") or part.rstrip(" .").lower() in (".git", "git~1") for part in parts)
    )
    if bad:
        raise InvalidInput(f"{path!r} is no path of a file in a repository")
    return path
