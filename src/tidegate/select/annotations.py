"""What an ImagePolicy asks for beyond Flux's fields, in its annotations under `tidegate.dev/`. Pure.

Unset, each is off, but for `no-downgrade`, which is on.
"""

from __future__ import annotations

import hashlib
import json
import re

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.kinds.accepting import ACCEPT
from tidegate.kinds.allowing import ALLOW_FROM, allowed_namespaces
from tidegate.kinds.objects import Object
from tidegate.kinds.own_annotations import PREFIX, flag, given_annotations, seconds, unknown_among, wrong
from tidegate.kinds.platform import Platform
from tidegate.kinds.rolled_back import ROLLED_BACK, RolledBack, rolled_back_of
from tidegate.oci.public_keys import PEM_BEGIN, PublicKey, parse_public_key

PLATFORMS, MINIMUM_AGE, PIN, HOLD, NO_DOWNGRADE, NEWEST_BUILD, VERIFY = (
    f"{PREFIX}{name}" for name in ("platforms", "minimum-age", "pin", "hold", "no-downgrade", "newest-build", "verify")
)
SELECTING = (PLATFORMS, MINIMUM_AGE, PIN, HOLD, NO_DOWNGRADE, NEWEST_BUILD, VERIFY)
"""Those that have a say in which tag is selected."""
ELSEWHERE = frozenset({ACCEPT, ALLOW_FROM, ROLLED_BACK, f"{PREFIX}adopt", f"{PREFIX}keep"})
"""Those that other rooms read or write."""
MOST_PLATFORMS = 20
LONGEST_AGE = 366 * 24 * 3600.0
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_SELECTING_FIELDS = ("imageRepositoryRef", "policy", "filterTags")


@frozen
class Wishes:
    """The annotations, read. `minimum_age` is in seconds. `verify` is a key, or the name of the Secret or ConfigMap
    that has one. `rolled_back` is no wish: the tag that an automation took back.
    """

    platforms: tuple[Platform, ...] = ()
    minimum_age: float = 0.0
    pin: str | None = None
    hold: bool = False
    no_downgrade: bool = True
    newest_build: bool = False
    verify: PublicKey | str | None = None
    rolled_back: RolledBack | None = None

    @property
    def ask_the_registry(self) -> bool:
        """Whether a tag's name alone does not say if it may be selected."""
        return bool(self.platforms or self.minimum_age or self.verify is not None)


def wishes_of(obj: Object) -> Wishes:
    """Read the annotations; InvalidInput names the one that is wrong, and what it may be."""
    given = given_annotations(obj)
    allowed_namespaces(obj)
    return Wishes(
        platforms=_platforms(given.get(PLATFORMS)),
        minimum_age=seconds(given, MINIMUM_AGE, (1, LONGEST_AGE), "from 1s to 8784h: 30m, 2h, 1h30m") or 0.0,
        pin=_pin(given.get(PIN)),
        hold=flag(given, HOLD),
        no_downgrade=flag(given, NO_DOWNGRADE, default=True),
        newest_build=flag(given, NEWEST_BUILD),
        verify=_verify(given.get(VERIFY)),
        rolled_back=rolled_back_of(obj),
    )


def unknown_annotations(obj: Object) -> list[str]:
    """The annotations under `tidegate.dev/` that nothing here reads, sorted: misspelt ones, as a rule."""
    return unknown_among(obj, ELSEWHERE.union(SELECTING))


def mark_of(obj: Object, image: str) -> str:
    """A short text that changes when the policy itself does: the part of the spec and the annotations that decide which
    tag of `image` is selected. Not `metadata.generation`, which also grows when a policy is suspended or resumed.
    """
    spec = obj.get("spec") or {}
    given = given_annotations(obj)
    fields = {name: spec.get(name) for name in _SELECTING_FIELDS}
    wishes = {name: given[name] for name in SELECTING if name in given}
    text = json.dumps([image, fields, wishes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _platforms(value: str | None) -> tuple[Platform, ...]:
    if value is None:
        return ()
    example = "write platforms with commas between them, as linux/arm/v7,linux/arm64"
    try:
        found = [Platform.parse(part) for part in value[:4096].split(",")]
    except InvalidInput as error:
        raise wrong(PLATFORMS, error.message, example) from None
    if len(found) > MOST_PLATFORMS:
        raise wrong(PLATFORMS, f"more than {MOST_PLATFORMS} platforms", example)
    return tuple(dict.fromkeys(found))


def _pin(value: str | None) -> str | None:
    if value is None:
        return None
    if not _TAG.fullmatch(value.strip()):
        raise wrong(
            PIN, f"{value[:200]!r} is no tag", "write a tag of the image, as 1.0.1329; remove it to end the pin"
        )
    return value.strip()


def _verify(value: str | None) -> PublicKey | str | None:
    if value is None:
        return None
    remedy = "write the name of a Secret or ConfigMap that has cosign.pub, or the public key itself (PEM)"
    text = value.strip()
    if text.startswith(PEM_BEGIN):
        try:
            return parse_public_key(text.encode())
        except InvalidInput as error:
            raise wrong(VERIFY, error.message, error.remedy or remedy) from None
    if not _NAME.fullmatch(text):
        raise wrong(VERIFY, f"{text[:100]!r} is neither a name nor a public key", remedy)
    return text
