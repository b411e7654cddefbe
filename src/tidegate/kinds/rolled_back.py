"""The annotation of an ImagePolicy that says: this tag did not run, and was taken back. Pure.

Who updates sets it, who selects heeds it, and both read out of it all that they need to know; a person removes it to
let the tag be selected again.
"""

from __future__ import annotations

import json
import re

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.frozen import frozen
from tidegate.base.showing import showable
from tidegate.kinds.objects import Object, annotation
from tidegate.kinds.reference import parse

ROLLED_BACK = "tidegate.dev/rolled-back"
CAUSE_LIMIT = 2_000
LINE_LIMIT = 300
_FIELDS = ("from", "to", "commit", "cause")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REMEDY = f"remove it, which lets the policy select as usual: kubectl annotate imagepolicy NAME {ROLLED_BACK}-"


@frozen
class RolledBack:
    """The reference `bad`, which `commit` had set, was taken back to `good`; both whole, as the policy gives them:
    `NAME:TAG`, with `@DIGEST` where it has one. `cause` is for people: its first line says what was not ready. It is
    `released` once a person has set `bad` again: who selects is about to follow.
    """

    bad: str
    good: str
    commit: str
    cause: str
    released: bool = False

    @property
    def name(self) -> str:
        """The image that both are of."""
        return split(self.bad)[0]

    @property
    def bad_tag(self) -> str:
        return split(self.bad)[1]

    @property
    def good_tag(self) -> str:
        return split(self.good)[1]

    def words(self) -> str:
        """What happened, in one line."""
        cause = " | ".join(line.strip() for line in self.cause.splitlines() if line.strip())
        shown = cause if len(cause) <= LINE_LIMIT else f"{cause[:LINE_LIMIT]}…"
        return f"{tag_words(self.bad, self.good)} was taken back: {shown}"

    def value(self) -> str:
        """The annotation's value."""
        cause = self.cause[:CAUSE_LIMIT]
        values = (self.bad, self.good, self.commit, cause)
        fields: dict[str, object] = dict(zip(_FIELDS, values, strict=True))
        return json.dumps(fields | ({"released": True} if self.released else {}), ensure_ascii=False)


def rolled_back_of(policy: Object) -> RolledBack | None:
    """What an ImagePolicy says of a tag that was taken back; InvalidInput where it can't be read."""
    value = annotation(policy, ROLLED_BACK)
    if value is None:
        return None
    where = Where(field=f"metadata.annotations[{ROLLED_BACK}]")
    try:
        found = json.loads(value)
        bad, good, commit, cause = (found[name] for name in _FIELDS)
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InvalidInput(f"it is no object with {', '.join(_FIELDS)}", where=where, remedy=_REMEDY) from None
    texts = (bad, good, commit, cause)
    if not all(isinstance(text, str) for text in texts) or split(bad)[0] != split(good)[0] or not split(good)[1]:
        raise InvalidInput("from and to are not references of one image, with a tag", where=where, remedy=_REMEDY)
    if not _COMMIT.fullmatch(commit):
        raise InvalidInput("commit is no full object id", where=where, remedy=_REMEDY)
    for text in (bad, good):
        try:
            parse(text)
        except InvalidInput as error:  # who updates would trip over it, with all that other policies have selected
            raise InvalidInput(error.message, where=where, remedy=_REMEDY) from None
    return RolledBack(bad, good, commit, showable(cause, CAUSE_LIMIT), found.get("released") is True)


def split(reference: str) -> tuple[str, str, str]:
    """Name, tag and digest of a reference as a policy gives it; empty where it has none."""
    rest, _, digest = reference.partition("@")
    name, colon, tag = rest.rpartition(":")
    return (name, tag, digest) if colon and "/" not in tag else (rest, "", digest)


def tag_words(bad: str, good: str) -> str:
    """A reference's tag, with the digest where only that differs."""
    _, tag, digest = split(bad)
    return f"{tag}@{digest}" if tag == split(good)[1] else tag
