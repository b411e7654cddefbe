"""Whether somebody who is trusted has signed what a source names: `spec.verify`, in Flux's words.

What nobody trusted has signed never becomes the artifact: the one before stays, and SourceVerified says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.base.errors import Conflict, InvalidInput, NotFound
from tidegate.base.frozen import frozen
from tidegate.engine.outcome import Failed, Stalled
from tidegate.engine.ports import Store
from tidegate.engine.secrets import read_secret
from tidegate.git.origins import Origins
from tidegate.git.verifying import PublicKeys, signature_type, verify
from tidegate.kinds.conditions import Condition, find
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.objects import Object
from tidegate.source.reading import FoundSource, read_tag_again, wanted_range, wanted_ref
from tidegate.source.versions import TAGS

SOURCE_VERIFIED = "SourceVerified"
HEAD, TAG, TAG_AND_HEAD = "HEAD", "Tag", "TagAndHEAD"
NO_TAG = "cannot verify tag object's signature if a tag reference is not specified"


@frozen
class Verification:
    """What was verified, for the status; all None where the source asks for nothing."""

    mode: str | None = None
    fingerprint: str | None = None
    condition: Condition | None = None

    @property
    def conditions(self) -> Sequence[Condition]:
        """The condition, if there is one."""
        return [] if self.condition is None else [self.condition]

    @property
    def status(self) -> dict[str, Any]:
        """Flux's fields."""
        return {"sourceVerificationMode": self.mode, "sourceVerificationFingerprint": self.fingerprint}


def refused(reason: str, message: str, remedy: str | None = None) -> Failed:
    """The failure with which a source stays at what it had."""
    condition = Condition(SOURCE_VERIFIED, "False", reason, message)
    return Failed(message, code=reason, remedy=remedy, conditions=[condition])


def stalled_without_tag(spec: GitRepository, obj: Object) -> Stalled | None:
    """Where a tag is to be verified and the source names none."""
    if spec.verify_mode not in (TAG, TAG_AND_HEAD) or wanted_range(obj) is not None:
        return None
    if wanted_ref(obj).startswith(TAGS):
        return None
    reason = "InvalidVerificationMode"
    return Stalled(reason, NO_TAG, conditions=[Condition(SOURCE_VERIFIED, "False", reason, NO_TAG)])


async def read_keys(spec: GitRepository, store: Store) -> PublicKeys | None:
    """Whose signatures count; None where the source asks for none. Failed where they can't be read."""
    if spec.verify_secret_ref is None:
        return None
    try:
        return PublicKeys.of(await read_secret(store, spec.key.namespace, spec.verify_secret_ref.name))
    except (NotFound, InvalidInput) as error:
        raise refused("VerificationError", f"public keys secret error: {error}", error.remedy) from None


def still_verified(obj: Object, spec: GitRepository, keys: PublicKeys, revision: str) -> Verification | None:
    """What was verified before, where it was this revision, with these keys, and no less of it."""
    status = obj.get("status") or {}
    standing = still_true(obj)
    same = (
        bool(standing)
        and (status.get("artifact") or {}).get("revision") == revision
        and status.get("sourceVerificationFingerprint") == keys.fingerprint
        and status.get("sourceVerificationMode") in (spec.verify_mode, TAG_AND_HEAD)
    )
    if not same:
        return None
    return Verification(spec.verify_mode, keys.fingerprint, standing[0])


def still_true(obj: Object) -> list[Condition]:
    """What was verified stays so where the remote can't be read now: the artifact is still that."""
    present = find((obj.get("status") or {}).get("conditions") or [], SOURCE_VERIFIED) or {}
    if present.get("status") != "True":
        return []
    return [Condition(SOURCE_VERIFIED, "True", str(present.get("reason")), str(present.get("message")))]


async def verification_of(
    obj: Object, spec: GitRepository, store: Store, origins: Origins, found: FoundSource
) -> Verification:
    """What is known of the signatures of what a source names; Failed where one is missing or of nobody trusted."""
    keys = await read_keys(spec, store)
    if keys is None:
        return Verification()
    if (before := still_verified(obj, spec, keys, found.revision)) is not None:
        return before
    if found.ref.startswith(TAGS) and spec.verify_mode != HEAD:
        await read_tag_again(origins, store, spec, found.ref)
    return await verified(spec, keys, found)


async def verified(spec: GitRepository, keys: PublicKeys, found: FoundSource) -> Verification:
    """Verify what the mode asks for, by the keys."""
    lines = []
    if spec.verify_mode in (TAG, TAG_AND_HEAD):
        lines.append(await _verified_tag(found, keys))
    if spec.verify_mode in (HEAD, TAG_AND_HEAD):
        lines.append(await _verified_commit(found, keys))
    message = "\n\t- ".join(["verified signature of", *lines])
    return Verification(spec.verify_mode, keys.fingerprint, Condition(SOURCE_VERIFIED, "True", "Succeeded", message))


async def _verified_commit(found: FoundSource, keys: PublicKeys) -> str:
    try:
        key = await verify(found.repository, "commit", found.commit, keys)
    except InvalidInput as error:
        message = f"signature verification of commit '{found.commit}' failed: {error}"
        raise refused("InvalidCommitSignature", message, error.remedy) from None
    return f"commit '{found.commit}' with key '{key}'"


async def _verified_tag(found: FoundSource, keys: PublicKeys) -> str:
    name = found.ref.removeprefix(TAGS)
    tag = await found.repository.tag(found.ref)
    if tag is None or signature_type("tag", tag.data) == "empty":
        shown = f"{name}@{tag.id}" if tag else name
        raise refused("InvalidGitObject", f"cannot verify signature of tag '{shown}' since it is not signed")
    if await found.repository.resolve(tag.id) != found.commit:
        raise Conflict(f"the tag {name} was moved while it was read")
    shown = f"{name}@{tag.id}"
    failed = f"signature verification of tag '{shown}' failed"
    if tag.name != name:  # else whoever may push could show an old release as a new one
        raise refused("InvalidTagSignature", f"{failed}: it was signed as the tag '{tag.name}'")
    try:
        key = await verify(found.repository, "tag", tag.id, keys)
    except InvalidInput as error:
        raise refused("InvalidTagSignature", f"{failed}: {error}", error.remedy) from None
    return f"tag '{shown}' with key '{key}'"
