"""What one reconciliation of an ImageUpdateAutomation works with: its spec, its source, where it writes, its keys."""

from __future__ import annotations

from tidegate.base.errors import InvalidInput
from tidegate.engine.outcome import Context, Stalled
from tidegate.engine.secrets import read_secret
from tidegate.git.remote import Credentials
from tidegate.git.secrets import credentials_for
from tidegate.git.signing import SigningKey
from tidegate.kinds.fields import InvalidObject
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.objects import Object, ObjectKey, key_of
from tidegate.update.annotations import wishes_of
from tidegate.update.planning import Work
from tidegate.update.target import target_of

SELECTOR = ("spec", "policySelector")
SOURCE_GROUP, SOURCE_KIND = "source.toolkit.fluxcd.io", "GitRepository"


async def work_of(obj: Object, ctx: Context) -> Work | Stalled:
    """The work of an automation as it stands, or why nobody can do it. NotFound for a source or a Secret."""
    try:
        spec = ImageUpdateAutomation.from_object(obj)
    except InvalidInput as error:
        return Stalled("InvalidPolicySelector" if _is_of_selector(error) else "InvalidSpec", str(error))
    if spec.source_ref.kind != SOURCE_KIND:
        return Stalled("InvalidSourceConfiguration", f"source kind '{spec.source_ref.kind}' not supported")
    try:
        wishes = wishes_of(obj)
    except InvalidInput as error:
        return Stalled("InvalidAnnotation", error.explain())
    namespace = spec.source_ref.namespace or key_of(obj).namespace
    source = GitRepository.from_object(
        await ctx.store.get(ObjectKey(SOURCE_GROUP, SOURCE_KIND, namespace, spec.source_ref.name))
    )
    credentials, signing = await _keys(spec, source, ctx)
    try:
        target = target_of(spec, source, credentials, signing)
    except InvalidInput as error:
        return Stalled(error.code, error.explain())
    return Work(obj, spec, target, ctx, wishes)


def _is_of_selector(error: InvalidInput) -> bool:
    return isinstance(error, InvalidObject) and all(path[:2] == SELECTOR for path, _ in error.problems)


async def _keys(
    spec: ImageUpdateAutomation, source: GitRepository, ctx: Context
) -> tuple[Credentials | None, SigningKey | None]:
    """What the Secrets of the source and of the automation hold."""
    signing = None
    if spec.signing_key_ref is not None:
        name = spec.signing_key_ref.name
        data = await read_secret(ctx.store, spec.key.namespace, name)
        signing = SigningKey.of(data, spec.signing_key_type or "gpg", f"{spec.key.namespace}/{name}")
    return await credentials_for(ctx.store, source), signing
