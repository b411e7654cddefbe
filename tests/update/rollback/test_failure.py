"""What of a log is shown, and what is hidden in it."""

import base64

import pytest

from tidegate.base.masking import Masker
from tidegate.update.rollback.failure import hidden, secret_names, secret_values


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("listening on port 8000", "listening on port 8000"),
        ("no module named 'fastapi'", "no module named 'fastapi'"),
        ("image sha256:" + "0f" * 32, "image sha256:" + "0f" * 32),
        ("commit 3f2a91c0d7e53f2a91c0d7e53f2a91c0d7e53f2a", "commit 3f2a91c0d7e53f2a91c0d7e53f2a91c0d7e53f2a"),
        ("postgres://shop:s3cret@db:5432/shop", "postgres://***@db:5432/shop"),
        ("DB_PASSWORD=hunter2 is wrong", "DB_PASSWORD=*** is wrong"),
        ('{"api_key": "abc def", "port": 1}', '{"api_key": ***, "port": 1}'),
        ("Authorization: Bearer abc.def.ghi", "Authorization: ***"),
        ("sent bearer abcdefgh12345678 to it", "sent bearer *** to it"),
        ("got ghp_0123456789abcdefghijklmnop", "got ***"),
        ("jwt eyJhbGciOi.eyJzdWIi.c2ln here", "jwt *** here"),
        ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
        ("blob wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY0 end", "blob *** end"),
        ("-----BEGIN RSA PRIVATE KEY-----", "***"),
        ("\x1b[36mpassword\x1b[0m=\x1b[35mhunter2\x1b[0m \x1b[1mdone", "password=*** done"),
        ("\x1b[35mghp_0123456789abcdefghijklmnop\x1b[0m", "***"),
        ("hunt\x1b[1mer22", "***"),
        ("value hunter22 of a Secret", "value *** of a Secret"),
    ],
)
def test_what_looks_secret_is_hidden_and_nothing_else(line, shown):
    assert hidden(line, Masker(("hunter22",))) == shown


def test_a_pod_s_secrets_are_found_wherever_it_names_them():
    key = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "b", "key": "k"}}}
    spec = {
        "initContainers": [
            {"envFrom": [{"secretRef": {"name": "a", "optional": True}}, {"configMapRef": {"name": "no"}}]}
        ],
        "containers": [{"env": [key, {"name": "Y"}]}],
        "volumes": [
            {"secret": {"secretName": "c"}},
            {"projected": {"sources": [{"secret": {"name": "d"}}, {"configMap": {"name": "no"}}]}},
            {"emptyDir": {}},
        ],
    }
    assert secret_names(spec) == {"a": False, "b": True, "c": True, "d": True}
    assert secret_names({}) == {}


def test_short_and_binary_values_are_not_hidden():
    encoded = {name: base64.b64encode(value).decode() for name, value in (("a", b"true"), ("b", b"long-enough"))}
    assert list(secret_values({"data": encoded | {"c": "/w==", "d": "not base64!"}})) == ["long-enough"]


@pytest.mark.parametrize(
    "text",
    [
        "HOST=db\nexport PASSWORD=correct-horse\n", "db:\n  password: 'correct-horse'\n  port: 5432\n",
        '{"host": "db", "password": "correct-horse"}', '{\n  "password": "correct-horse",\n  "port": 1\n}',
    ],
)  # fmt: skip
def test_the_values_in_a_file_of_settings_are_hidden_too(text):
    masker = Masker(tuple(secret_values({"data": {"f": base64.b64encode(text.encode()).decode()}})))
    assert hidden("refused: correct-horse at db:5432", masker) == "refused: *** at db:5432"
