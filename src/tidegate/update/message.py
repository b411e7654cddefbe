"""The message of an automation's commit: Flux's default, or what `spec.git.commit.messageTemplate` makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.base.errors import InvalidInput
from tidegate.kinds.objects import Object, key_of, version_of
from tidegate.update.edit import Edited
from tidegate.update.gotemplate.functions import Function
from tidegate.update.gotemplate.render import render
from tidegate.update.gotemplate.simple import is_simple
from tidegate.update.gotemplate.values import TemplateError
from tidegate.update.message_child import render_in_child
from tidegate.update.message_data import MessageData, template_data

DEFAULT_TEMPLATE = "Update from image update automation"
LEGACY_VERSIONS = ("v1beta1", "v1beta2")


def commit_message(obj: Object, template: str | None, edited: Edited) -> str:
    """The message for what `edited` changes, by the ImageUpdateAutomation's template or Flux's default one.

    Raises InvalidInput where the template is wrong (code `RemovedTemplateField` for a field that Flux has dropped), and
    LimitExceeded where it asks for too much. It may take a second for a template that is made to: see safe_message.
    """
    return render_message(template, _data(obj, edited), legacy=_is_legacy(obj))


async def safe_message(obj: Object, template: str | None, edited: Edited) -> str:
    """As commit_message, but a template with more than text, fields and one `range` runs in a child that is limited in
    memory and time.
    """
    if is_simple(template or DEFAULT_TEMPLATE):
        return commit_message(obj, template, edited)
    assert template is not None
    return await render_in_child(template, _data(obj, edited), legacy=_is_legacy(obj))


def render_message(
    template: str | None, data: MessageData, *, legacy: bool = False, more: Mapping[str, Function] | None = None
) -> str:
    """The message that a template makes of data; an empty template is the default one. `more` are functions beside
    those that need nothing of another room.
    """
    try:
        return render(template or DEFAULT_TEMPLATE, template_data(data, legacy=legacy), more=more)
    except TemplateError as error:
        raise removed_field(error) or error from None


def removed_field(error: TemplateError) -> InvalidInput | None:
    """The error for a field that Flux's v1 no longer gives to templates."""
    for field, remedy, sign in (
        (".Updated", "use '.Changed' instead", "field Updated in type source.TemplateData"),
        (".Changed.ImageResult", "use '.Changed.FileChanges' or '.Changed.Objects' instead",
         "field ImageResult in type update.Result"),
    ):  # fmt: skip
        if sign in error.message:
            said = f"template uses removed '{field}' field"
            return InvalidInput(said, where=error.where, remedy=remedy, code="RemovedTemplateField")
    return None


def _data(obj: Object, edited: Edited) -> MessageData:
    key = key_of(obj)
    commit: Mapping[str, Any] = ((obj.get("spec") or {}).get("git") or {}).get("commit") or {}
    return MessageData.of(key.namespace, key.name, edited.changes, commit.get("messageTemplateValues") or {})


def _is_legacy(obj: Object) -> bool:
    return version_of(str(obj.get("apiVersion", ""))) in LEGACY_VERSIONS
