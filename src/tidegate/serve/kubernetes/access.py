"""Who may do what at this door, and the reviews by which clients ask that (`kubectl auth can-i`, `whoami`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.kinds.objects import Object
from tidegate.serve.identity import Authorizer, Identity
from tidegate.serve.kubernetes.status import Forbidden, Unauthorized

ADMIN = "admin"
READ_VERBS = ("get", "list", "watch")
REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")


class Access:
    """The rule: reading is open, unless a credential is asked for; Secrets and writes need the home's credential."""

    def __init__(self, authorizer: Authorizer, *, reads_need_credential: bool):
        self._authorizer = authorizer
        self._reads_need_credential = reads_need_credential

    def identify(self, header: str | None) -> Identity | None:
        """Who asks; None for nobody. Unauthorized where a credential is given that isn't valid."""
        identity = self._authorizer.identify(header)
        if header and identity is None:
            raise Unauthorized("Unauthorized: this credential is not valid", remedy="see: tidegate kubeconfig")
        return identity

    def check(self, identity: Identity | None, verb: str, group: str, plural: str) -> None:
        """Unauthorized without a credential where one is needed, Forbidden where it doesn't reach so far."""
        if self.allows(identity, verb, group, plural):
            return
        if identity is None:
            what = "reading Secrets" if verb in READ_VERBS and plural == "secrets" else f"{verb} {plural}"
            remedy = "kubectl sends it over https only: tidegate kubeconfig"
            raise Unauthorized(f"Unauthorized: {what} needs a credential", remedy=remedy)
        raise Forbidden(f'"{identity.subject}" can\'t {verb} {plural or "this"}')

    def allows(self, identity: Identity | None, verb: str, group: str, plural: str) -> bool:
        """Whether somebody may do something. Pure."""
        if identity is not None and ADMIN in identity.scopes:
            return True
        is_secret = plural in ("secrets", "*") and group in ("", "*")
        return verb in READ_VERBS and not self._reads_need_credential and not is_secret

    def review(self, plural: str, identity: Identity | None, asked: Object) -> Object:
        """The answer to a review; `asked` is the review as it was sent."""
        if plural == "selfsubjectreviews":
            name = identity.subject if identity else "system:anonymous"
            group = "system:authenticated" if identity else "system:unauthenticated"
            return _answer("authentication.k8s.io/v1", "SelfSubjectReview", {
                "userInfo": {"username": name, "groups": [group]}
            })  # fmt: skip
        if plural == "selfsubjectrulesreviews":
            return _answer("authorization.k8s.io/v1", "SelfSubjectRulesReview", self._rules(identity)) | _spec(asked)
        attributes = _mapping(_mapping(asked.get("spec")).get("resourceAttributes"))
        verb = str(attributes.get("verb") or "get")
        group, resource = str(attributes.get("group") or ""), str(attributes.get("resource") or "")
        allowed = self.allows(identity, verb, group, resource)
        return _answer("authorization.k8s.io/v1", "SelfSubjectAccessReview", {"allowed": allowed}) | _spec(asked)

    def _rules(self, identity: Identity | None) -> dict[str, Any]:
        if identity is not None and ADMIN in identity.scopes:
            rules = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        elif self._reads_need_credential:
            rules = []
        else:
            rules = [{"verbs": list(READ_VERBS), "apiGroups": ["*"], "resources": ["* (but secrets)"]}]
        return {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}


def _answer(api_version: str, kind: str, status: dict[str, Any]) -> Object:
    metadata = {"creationTimestamp": None}
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata, "status": status}


def _spec(asked: Object) -> Object:
    return {"spec": _mapping(asked.get("spec"))}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
