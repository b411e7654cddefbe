"""What the API server of an `audited_cluster` noted of every write: when, by whose token, of what, with what answer."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

CREDENTIAL = "authentication.kubernetes.io/credential-id"


@dataclass(frozen=True)
class Write:
    """One request that was to change something. `credential` is its token's id, `received` an RFC 3339 time."""

    credential: str
    verb: str
    resource: str
    name: str
    code: int
    received: str


def writes(cluster, token=None, since="", resource=None):
    """The writes by one token, or by anybody, received at `since` or later, in the order of their answers."""
    assert cluster.audit is not None
    found = [_write(json.loads(line)) for line in Path(cluster.audit).read_text().splitlines()]
    wanted = None if token is None else credential_of(token)
    return [
        one
        for one in found
        if (wanted is None or one.credential == wanted)
        and one.received >= since
        and (resource is None or one.resource == resource)
    ]


def credential_of(token):
    """The id by which the audit log names a service account's token."""
    payload = token.split(".")[1]
    return f"JTI={json.loads(base64.urlsafe_b64decode(payload + '=' * (-len(payload) % 4)))['jti']}"


def _write(event):
    reference = event.get("objectRef") or {}
    resource = "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))
    [credential] = (event["user"].get("extra") or {}).get(CREDENTIAL) or [""]
    code = (event.get("responseStatus") or {}).get("code", 0)
    return Write(
        credential, event["verb"], resource, reference.get("name", ""), code, event["requestReceivedTimestamp"]
    )
