"""What a Job's Pod is told of where its commit is."""

import json

from tidegate.runner.pod_job import _source


def test_the_way_to_the_remote_is_told_with_the_commit(tmp_path):
    told = {
        "url": "https://github.com/acme/shop", "ref": "refs/heads/main", "commit": "1" * 40,
        "credentials": {"password": "cHc="}, "proxy": "http://me:pw@proxy.test:3128", "actions": {"pins": []},
    }  # fmt: skip
    (tmp_path / "source").write_text(json.dumps({**told, "more": 1}))
    assert _source(tmp_path / "source") == told


def test_neither_credential_nor_proxy_need_be_there(tmp_path):
    told = {"url": "https://github.com/acme/shop", "ref": "refs/heads/main", "commit": "1" * 40}
    (tmp_path / "source").write_text(json.dumps(told))
    assert _source(tmp_path / "source") == {**told, "credentials": None, "proxy": None, "actions": None}
