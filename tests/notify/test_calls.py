"""What each forge and registry sends, in the forms that they document, and what is refused."""

import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import Denied, InvalidInput
from tidegate.kinds.receiver import TYPES
from tidegate.notify.calls import KNOWN_TYPES, Call, news
from tidegate.notify.receivers import REFUSED

TOKEN = "It's a Secret to Everybody"
"""With the body and the signature below, the example of GitHub's page on validating webhook deliveries."""
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def mac(digest, body=BODY, token=TOKEN):
    return hmac.new(token.encode(), body, digest).hexdigest()


def document(**fields):
    return json.dumps(fields).encode()


PUSHED = document(events=[{"action": "pull"}, {"action": "push", "target": {"repository": "a/b", "tag": "1"}}])
HUB = document(push_data={"tag": "1"}, repository={"repo_url": "https://registry.hub.docker.com/r/a/b"})
CREATED = document(action="CREATED")
CASES = [
    ("github", {"x-github-event": "push", "x-hub-signature-256": SIGNATURE}, BODY, "push"),
    ("github", {"x-github-event": "push", "x-hub-signature": f"sha1={mac('sha1')}"}, BODY, "push"),
    ("github", {"x-github-event": "ping", "x-hub-signature-256": SIGNATURE}, BODY, None),
    ("ghcr", {"x-github-event": "package", "x-hub-signature-256": SIGNATURE}, BODY, "package"),
    ("ghcr", {"x-github-event": "registry_package", "x-hub-signature-256": SIGNATURE}, BODY, "registry_package"),
    ("ghcr", {"x-github-event": "push", "x-hub-signature-256": SIGNATURE}, BODY, None),
    ("gitea", {"x-gitea-event": "push", "x-gitea-signature": mac("sha256")}, BODY, "push"),
    ("gitea", {"x-forgejo-event": "push", "x-forgejo-signature": mac("sha256")}, BODY, "push"),
    ("gitea", {"x-gitea-event": "push", "x-hub-signature-256": SIGNATURE}, BODY, "push"),
    ("gitlab", {"x-gitlab-event": "Push Hook", "x-gitlab-token": TOKEN}, b"{}", "Push Hook"),
    ("bitbucket", {"x-event-key": "repo:refs_changed", "x-hub-signature": SIGNATURE}, BODY, "repo:refs_changed"),
    ("bitbucket", {"x-event-key": "diagnostics:ping", "x-hub-signature": SIGNATURE}, BODY, None),
    ("generic", {}, b"anything \xff", "generic"),
    ("generic-hmac", {"x-signature": SIGNATURE}, BODY, "generic-hmac"),
    ("generic-hmac", {"x-signature": f"sha512={mac('sha512')}"}, BODY, "generic-hmac"),
    ("generic-hmac", {"x-signature": f"sha1={mac('sha1')}"}, BODY, "generic-hmac"),
    ("harbor", {"authorization": TOKEN}, document(type="PUSH_ARTIFACT"), "PUSH_ARTIFACT"),
    ("dockerhub", {}, HUB, "push"),
    ("quay", {}, document(docker_url="quay.io/a/b", updated_tags=["1"]), "push"),
    ("acr", {}, document(action="push", target={"repository": "a", "tag": "1"}), "push"),
    ("acr", {}, document(action="ping"), None),
    ("nexus", {"x-nexus-webhook-signature": mac("sha1", CREATED)}, CREATED, "CREATED"),
    ("cdevents", {"ce-type": "dev.cdevents.change.merged.0.1.2"}, b"{}", "dev.cdevents.change.merged.0.1.2"),
    ("cdevents", {}, document(context={"type": "dev.cdevents.x"}), "dev.cdevents.x"),
    ("distribution", {"authorization": f"Bearer {TOKEN}"}, PUSHED, "push"),
    ("distribution", {"authorization": TOKEN}, PUSHED, "push"),
    ("distribution", {"authorization": f"bearer {TOKEN}"}, document(events=[{"action": "pull"}]), "pull"),
    ("distribution", {"authorization": f"Bearer {TOKEN}"}, document(events=[]), None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "headers", "body", "event"), CASES)
def test_what_forges_and_registries_send_is_understood(kind, headers, body, event):
    assert news(kind, Call(headers, body), TOKEN) == event


@pytest.mark.parametrize(("kind", "headers", "body"), [case[:3] for case in CASES])
def test_another_token_is_refused_where_a_call_must_prove_that_it_knows_it(kind, headers, body):
    unproven = {"generic", "dockerhub", "quay", "acr", "cdevents"}
    if kind in unproven:
        news(kind, Call(headers, body), "another")
    else:
        with pytest.raises(Denied):
            news(kind, Call(headers, body), "another")


@pytest.mark.parametrize("kind", sorted(KNOWN_TYPES - {"generic"}))
@given(headers=st.dictionaries(st.sampled_from(["x-signature", "authorization"]), st.text()), body=st.binary())
def test_garbage_is_refused_with_an_error_of_ours(kind, headers, body):
    with pytest.raises((Denied, InvalidInput)):
        news(kind, Call(headers, body), TOKEN)


def test_an_altered_body_is_refused():
    call = Call({"x-github-event": "push", "x-hub-signature-256": SIGNATURE}, BODY + b" ")
    with pytest.raises(Denied):
        news("github", call, TOKEN)


@pytest.mark.parametrize("given", ["", "sha256=", "sha256", SIGNATURE.upper(), "md5=" + "0" * 32, "sha256=\udcff"])
def test_a_signature_of_another_form_is_refused(given):
    with pytest.raises(Denied):
        news("github", Call({"x-github-event": "push", "x-hub-signature-256": given}, BODY), TOKEN)


@pytest.mark.parametrize(
    ("events", "event"),
    [((), "push"), (("push",), "push"), (("PUSH", "ping"), "push"), (("release",), None)],
)
def test_only_the_events_that_are_named_count(events, event):
    call = Call({"x-github-event": "push", "x-hub-signature-256": SIGNATURE}, BODY)
    assert news("github", call, TOKEN, events) == event


def test_the_form_matters_where_nothing_else_proves_a_call():
    for kind in ("dockerhub", "quay", "acr", "cdevents"):
        with pytest.raises(InvalidInput):
            news(kind, Call({}, b"[" * 100_000), TOKEN)


def test_every_type_that_a_receiver_may_have_is_known_or_refused_by_name():
    assert KNOWN_TYPES | set(REFUSED) == set(TYPES)
    assert not KNOWN_TYPES & set(REFUSED)
