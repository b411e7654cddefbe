"""A remote that says in its answers what it was sent, with colours, while it is read."""

import base64
import shutil

import pytest
from tests.integration.misbehaving_server import response, serving

from tidegate.base.errors import TidegateError
from tidegate.git.mirror import Mirrors
from tidegate.git.remote import Credentials, Remote, ls_remote
from tidegate.git.words import SAID_LIMIT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: apt-get install git"),
]
PASSWORD = "pass-word-of-the-test"
SENT = base64.b64encode(f"me:{PASSWORD}".encode()).decode()


def packet(text: str) -> bytes:
    return f"{len(text.encode()) + 4:04x}{text}".encode()


@pytest.mark.parametrize("way", ["list", "fetch"])
async def test_neither_secrets_nor_control_characters_are_told(tmp_path, way):
    said = f"ERR \x9b31m\u202eyou sent {SENT}, {PASSWORD}\x1b]0;title\x07 {'x' * 3000}\n"
    body = packet("# service=git-upload-pack\n") + b"0000" + packet(said)
    kind = "content-type: application/x-git-upload-pack-advertisement"
    async with serving(response("200 OK", body, kind)) as server:
        remote = Remote(f"http://127.0.0.1:{server.port}/x.git", Credentials(username="me", password=PASSWORD))
        with pytest.raises(TidegateError) as raised:
            await (ls_remote(remote) if way == "list" else Mirrors(tmp_path).fetch(remote))
    told = raised.value.explain()
    assert "you sent ***, ***" in told
    assert PASSWORD not in told
    assert SENT not in told
    assert told.replace("\n", "").isprintable()
    assert len(told) < SAID_LIMIT + 300
