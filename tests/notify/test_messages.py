"""What each kind of Provider is sent, in the form that its API's documentation shows."""

import hashlib
import hmac
import json

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.provider import TYPES
from tidegate.notify.messages import Destination, request_for
from tidegate.notify.telling import Told

COMMIT = "5a1d5b1d8dc0e3d2a7a1f8c2e5d6f7a8b9c0d1e2"
BEARER = {"Authorization": "Bearer sesame", "Accept": "application/json"}
UID = "0f3c9a1b-1111-2222-3333-444444444444"


def told(severity="info", reason="ReconciliationSucceeded", message="Reconciliation finished", **metadata):
    involved = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "namespace": "flux-system",
        "name": "apps", "uid": "8e2e",
    }  # fmt: skip
    return Told(involved, severity, reason, message, "2026-01-15T12:00:00Z", "kustomize-controller", metadata)


def sent(kind, event=None, **fields):
    defaults = {"address": "https://hooks.example/secret", "token": "sesame", "uid": UID}
    return request_for(Destination(kind, **{**defaults, **fields}), event or told(revision=f"main@sha1:{COMMIT}"))


def test_a_generic_provider_gets_fluxs_event():
    request = sent("generic", headers={"X-Team": "a"})
    assert (request.method, request.url) == ("POST", "https://hooks.example/secret")
    assert request.headers == {"Gotk-Component": "kustomize-controller", "X-Team": "a"}
    assert request.body == {
        "involvedObject": {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "namespace": "flux-system",
            "name": "apps", "uid": "8e2e",
        },
        "severity": "info", "timestamp": "2026-01-15T12:00:00Z", "message": "Reconciliation finished",
        "reason": "ReconciliationSucceeded", "metadata": {"revision": f"main@sha1:{COMMIT}"},
        "reportingController": "kustomize-controller", "reportingInstance": "kustomize-controller",
    }  # fmt: skip


def test_generic_hmac_signs_the_very_bytes_that_are_sent():
    request = sent("generic-hmac")
    assert request.headers["X-Signature"] == "sha256=" + hmac.new(b"sesame", request.body, hashlib.sha256).hexdigest()
    assert json.loads(request.body)["reason"] == "ReconciliationSucceeded"


@pytest.mark.parametrize(("severity", "color"), [("info", "good"), ("error", "danger")])
def test_slack_gets_an_attachment(severity, color):
    request = sent("slack", told(severity, message="m", env="prod"), channel="deploys", token="")
    assert request.headers == {}
    assert request.body == {
        "channel": "deploys",
        "username": "tidegate",
        "attachments": [
            {
                "color": color,
                "author_name": "kustomization/apps.flux-system",
                "text": "m",
                "mrkdwn_in": ["text"],
                "fields": [{"title": "env", "value": "prod", "short": False}],
            }
        ],
    }
    assert sent("slack").headers == {"Authorization": "Bearer sesame"}


@pytest.mark.parametrize(
    "address", ["https://discord.com/api/webhooks/1/x", "https://discord.com/api/webhooks/1/x/slack"]
)
def test_discord_takes_slacks_form_at_its_own_address_for_it(address):
    request = sent("discord", address=address, username="gate")
    assert request.url == "https://discord.com/api/webhooks/1/x/slack"
    assert request.body["username"] == "gate"


def test_matrix_gets_a_text_in_a_transaction_that_is_the_same_when_repeated():
    first, again, other = (
        sent("matrix", event, address="https://m.example/", channel="!a:m.example")
        for event in (told(), told(), told(message="x"))
    )
    assert first.method == "PUT"
    prefix = "https://m.example/_matrix/client/v3/rooms/%21a%3Am.example/send/m.room.message/"
    assert first.url.startswith(prefix)
    assert first.url == again.url != other.url
    assert first.headers == {"Authorization": "Bearer sesame"}
    assert first.body == {"msgtype": "m.text", "body": "💫 kustomization/apps.flux-system\nReconciliation finished"}


def test_telegram_is_asked_at_its_bots_address():
    request = sent("telegram", address="", channel="-100123", token="123:ABC")
    assert request.url == "https://api.telegram.org/bot123:ABC/sendMessage"
    assert request.body["chat_id"] == "-100123"
    assert "123:ABC" not in repr(request)


def test_teams_gets_the_card_that_its_webhook_takes():
    older = sent("msteams", told(env="prod"), address="https://x.webhook.office.com/y")
    assert older.body["@type"] == "MessageCard"
    assert older.body["sections"][0]["facts"] == [{"name": "env", "value": "prod"}]
    newer = sent("msteams", told("error"), address="https://prod.westeurope.logic.azure.com/workflows/y")
    card = newer.body["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["text"] for block in card["content"]["body"]] == [
        "kustomization/apps.flux-system",
        "Reconciliation finished",
    ]


@pytest.mark.parametrize(
    ("kind", "address", "url", "headers", "context"),
    [
        ("github", "https://github.com/acme/shop", f"https://api.github.com/repos/acme/shop/statuses/{COMMIT}",
         {"Authorization": "Bearer sesame", "Accept": "application/vnd.github+json",
          "X-GitHub-Api-Version": "2022-11-28"}, "context"),
        ("github", "https://git.acme.example/acme/shop.git",
         f"https://git.acme.example/api/v3/repos/acme/shop/statuses/{COMMIT}",
         {"Authorization": "Bearer sesame", "Accept": "application/vnd.github+json",
          "X-GitHub-Api-Version": "2022-11-28"}, "context"),
        ("gitea", "https://codeberg.org/acme/shop", f"https://codeberg.org/api/v1/repos/acme/shop/statuses/{COMMIT}",
         BEARER | {"Authorization": "token sesame"}, "context"),
        ("gitlab", "https://gitlab.com/acme/team/shop",
         f"https://gitlab.com/api/v4/projects/acme%2Fteam%2Fshop/statuses/{COMMIT}", BEARER,
         "name"),
    ],
)  # fmt: skip
def test_a_commits_status_is_set_at_its_forge(kind, address, url, headers, context):
    request = sent(kind, address=address)
    assert (request.method, request.url, request.headers) == ("POST", url, headers)
    assert request.body == {
        "state": "success",
        context: "kustomization/apps/0f3c9a1b",
        "description": "Reconciliation finished",
    }


@pytest.mark.parametrize(
    ("kind", "severity", "reason", "state"),
    [
        ("github", "error", "HealthCheckFailed", "failure"),
        ("gitlab", "error", "HealthCheckFailed", "failed"),
        ("gitea", "error", "HealthCheckFailed", "failure"),
        ("github", "info", "Progressing", "pending"),
    ],
)
def test_the_state_is_the_events(kind, severity, reason, state):
    event = told(severity, reason, "x" * 200, revision=f"main@sha1:{COMMIT}")
    request = sent(kind, event, address="https://git.example/acme/shop")
    assert request.body["state"] == state
    assert request.body["description"] == reason  # a message that is too long would be cut within a word


@pytest.mark.parametrize("revision", ["", "main", "sha256:abc", "1.0.3"])
def test_an_event_about_no_commit_has_no_status(revision):
    assert sent("github", told(revision=revision), address="https://github.com/acme/shop") is None


@pytest.mark.parametrize(
    "address",
    ["https://github.com/acme", "https://github.com/a/b/c", "https://u:p@github.com/a/b", "https://github.com/../b"],
)
def test_an_address_that_is_no_repository_is_refused_without_showing_it(address):
    with pytest.raises(InvalidInput) as caught:
        sent("github", address=address)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("kind", TYPES)
def test_what_is_missing_is_named(kind):
    with pytest.raises(InvalidInput, match=r"address|channel|token"):
        sent(kind, address="", token="", channel="")
