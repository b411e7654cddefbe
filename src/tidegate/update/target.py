"""Where an automation reads and where its commits go, by `spec.git` and the source. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tidegate.base.errors import InvalidInput
from tidegate.base.frozen import frozen
from tidegate.git.command import NETWORK_TIMEOUT
from tidegate.git.names import branch_ref, check_ref
from tidegate.git.remote import Credentials
from tidegate.git.signing import SigningKey
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation

OPTIONS_LIMIT = 16_384


@frozen
class Target:
    """`branch` is read. Commits go to `push_branch` (None: only to `push_ref`), and to the full ref `push_ref` if any.

    `timeout` is how long the remote may take for one answer, in seconds. A push branch other than the one that is read
    belongs to the automation alone: it is made anew on top of what is read, and so may be forced. The branch that is
    read is shared with people, and never is.
    """

    url: str
    branch: str
    push_branch: str | None
    push_ref: str | None = None
    refspec: str = ""
    options: tuple[str, ...] = ()
    timeout: float = NETWORK_TIMEOUT
    credentials: Credentials | None = field(default=None, repr=False)
    signing: SigningKey | None = field(default=None, repr=False)

    @property
    def ref(self) -> str:
        """The branch that is read, as a full ref."""
        return branch_ref(self.branch)

    @property
    def is_shared(self) -> bool:
        """Whether commits go on top of the branch that is read, and nowhere else."""
        return self.push_branch == self.branch and self.push_ref is None

    def described(self) -> str:
        """Where a commit was pushed to, in Flux's words."""
        branch = f"to branch '{self.push_branch}'" if self.push_branch else ""
        refspec = f"using refspec '{self.refspec}'" if self.push_ref else ""
        return " and ".join(filter(None, (branch, refspec)))


def target_of(
    spec: ImageUpdateAutomation,
    source: GitRepository,
    credentials: Credentials | None = None,
    signing: SigningKey | None = None,
) -> Target:
    """The target that an automation and its source come to; InvalidInput where that is none."""
    reference = spec.checkout or source.ref
    place = "spec.git.checkout.ref" if spec.checkout else "the GitRepository's spec.ref"
    if named := [name for name in ("commit", "name", "semver", "tag") if getattr(reference, name)]:
        raise InvalidInput(
            f"{place} names a {named[0]}, and updates are made on top of a branch",
            remedy="name a branch in spec.git.checkout.ref",
            code="InvalidSourceConfiguration",
        )
    branch = spec.checkout_branch or source.branch
    push_ref = _destination(spec.push_refspec) if spec.push_refspec else None
    return Target(
        url=source.url,
        branch=branch,
        push_branch=spec.push_branch or (None if push_ref else branch),
        push_ref=push_ref,
        refspec=spec.push_refspec or "",
        options=_options(spec.push_options),
        timeout=source.timeout_seconds,
        credentials=credentials,
        signing=signing,
    )


def _destination(refspec: str) -> str:
    """The right side of `HEAD:refs/for/main`; what is on the left is always the automation's commit."""
    left, separator, right = refspec.partition(":")
    name = right if separator else left
    try:
        return check_ref(name) if name.startswith("refs/") else branch_ref(name)
    except InvalidInput as error:
        remedy = "write SOURCE:DESTINATION, for instance refs/heads/main:refs/heads/auto"
        raise InvalidInput(f"spec.git.push.refspec {refspec!r}: {error.message}", remedy=remedy) from None


def _options(options: Mapping[str, str]) -> tuple[str, ...]:
    """As `git push --push-option` takes them; InvalidInput where they are more than a command line should hold."""
    if sum(len(name) + len(value) for name, value in options.items()) > OPTIONS_LIMIT:
        raise InvalidInput(f"spec.git.push.options are longer than {OPTIONS_LIMIT} characters in all")
    return tuple(f"{name}={value}" if value else name for name, value in sorted(options.items()))
