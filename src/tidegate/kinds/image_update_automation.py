"""ImageUpdateAutomation, of image.toolkit.fluxcd.io: what the policies select is committed to Git. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from tidegate.base.frozen import frozen
from tidegate.kinds.common import (
    GitReference,
    LabelSelector,
    LocalReference,
    Model,
    SourceReference,
    git_reference,
    identity,
    label_selector,
    local_reference,
    source_reference,
)
from tidegate.kinds.fields import Fields
from tidegate.kinds.objects import Object

GROUP, KIND, VERSIONS = "image.toolkit.fluxcd.io", "ImageUpdateAutomation", ("v1", "v1beta2", "v1beta1")
_REFSPEC = re.compile(r"[^+:].*", re.DOTALL)


@frozen(kw_only=True)
class ImageUpdateAutomation(Model):
    """An automation. `checkout` and `push_branch` are None where the source's own branch is meant; `update_path` is
    a folder of the repository, `./` by default. Times are in seconds.
    """

    source_ref: SourceReference
    interval_seconds: float
    author_name: str
    author_email: str
    checkout: GitReference | None = None
    push_branch: str | None = None
    push_refspec: str | None = None
    push_options: Mapping[str, str] = field(default_factory=dict)
    message_template: str | None = None
    message_values: Mapping[str, str] = field(default_factory=dict)
    signing_key_ref: LocalReference | None = None
    signing_key_type: str | None = None
    policy_selector: LabelSelector | None = None
    policy_change_delay_seconds: float = 0.0
    update_path: str = "./"
    strategy: str = "Setters"
    suspend: bool = False

    @property
    def checkout_branch(self) -> str | None:
        """The branch that `spec.git.checkout` names."""
        return self.checkout.branch if self.checkout else None

    @classmethod
    def from_object(cls, obj: Object) -> ImageUpdateAutomation:
        """Read an object of any served version; InvalidInput names the wrong fields."""
        key, version = identity(obj, GROUP, KIND, VERSIONS)
        fields = Fields.of(obj)
        update, git = fields.inside("update"), fields.inside("git", required=True)
        commit, push = git.inside("commit", required=fields.has("git")), git.inside("push")
        author, signing = commit.inside("author", required=git.has("commit")), commit.child("signingKey")
        return cls(
            key=key,
            version=version,
            source_ref=source_reference(fields, ("GitRepository",), "GitRepository"),
            interval_seconds=fields.seconds("interval", required=True) or 0.0,
            checkout=git_reference(git.inside("checkout"), "ref"),
            author_name=author.text("name"),
            author_email=author.text("email", required=commit.has("author")),
            message_template=commit.optional_text("messageTemplate"),
            message_values=commit.text_map("messageTemplateValues"),
            signing_key_ref=local_reference(signing, "secretRef", required=True) if signing else None,
            signing_key_type=signing.optional_text("type", choices=("gpg", "ssh")) if signing else None,
            push_branch=push.optional_text("branch"),
            push_refspec=push.text("refspec", pattern=_REFSPEC) or None,
            push_options=push.text_map("options"),
            policy_selector=label_selector(fields, "policySelector"),
            policy_change_delay_seconds=fields.seconds("policyChangeDelay") or 0.0,
            update_path=update.text("path", "./"),
            strategy=update.text("strategy", "Setters", choices=("Setters",)),
            suspend=fields.flag("suspend"),
            unknown_fields=fields.finish(),
        )
