import base64
import json
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.base.home import git_settings
from tidegate.cli.login import with_login


def test_a_login_is_added_and_the_rest_stays():
    before = json.dumps({"auths": {"ghcr.io": {"auth": "eA=="}}, "credsStore": "pass"})
    after = json.loads(with_login(before, "127.0.0.1:8420", "secret"))
    assert after["auths"]["ghcr.io"] == {"auth": "eA=="}
    assert after["credsStore"] == "pass"
    assert base64.b64decode(after["auths"]["127.0.0.1:8420"]["auth"]) == b"tidegate:secret"


def test_a_new_file_holds_the_login_alone():
    assert list(json.loads(with_login("", "127.0.0.1:1", "t"))["auths"]) == ["127.0.0.1:1"]


@pytest.mark.parametrize("broken", ["{", "[]", '{"auths": []}'])
def test_a_file_that_is_no_configuration_is_left_alone(broken):
    with pytest.raises(InvalidInput, match="not a docker configuration"):
        with_login(broken, "127.0.0.1:1", "t")


def test_git_gets_the_credential_and_no_proxy_for_this_machine_alone():
    assert git_settings("http://127.0.0.1:8420", Path("/home/git-credentials")) == {
        "credential.http://127.0.0.1:8420.helper": "store --file=/home/git-credentials",
        "http.http://127.0.0.1:8420.proxy": "",
    }
