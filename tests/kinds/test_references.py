"""Image references as go-containerregistry's name.ParseReference reads them with weak validation."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.reference import Reference, Repository, parse, parse_repository

DIGEST = "sha256:" + "d" * 64

READ = {
    "web": "index.docker.io/library/web:latest",
    "a": "index.docker.io/library/a:latest",
    "acme/web": "index.docker.io/acme/web:latest",
    "docker.io/web": "index.docker.io/library/web:latest",
    "index.docker.io/web": "index.docker.io/library/web:latest",
    "index.docker.io": "index.docker.io/library/index.docker.io:latest",
    "host.x:5000": "index.docker.io/library/host.x:5000",
    "localhost": "index.docker.io/library/localhost:latest",
    "localhost/web": "localhost/web:latest",
    "localhost:5000/web": "localhost:5000/web:latest",
    "ghcr.io/acme/web:1.0": "ghcr.io/acme/web:1.0",
    "GHCR.io/acme/web": "GHCR.io/acme/web:latest",
    "[::1]/web": "[::1]/web:latest",
    "[::1]:5000/web:v1": "[::1]:5000/web:v1",
    "[::ffff:1.2.3.4]/a": "[::ffff:1.2.3.4]/a:latest",
    "0/0:0": "index.docker.io/0/0:0",
    "a//b": "index.docker.io/a//b:latest",
    "host.x:/web": "host.x:/web:latest",
    "a:b:5/web": "a:b:5/web:latest",
    "é.x/web": "é.x/web:latest",
    f"web@{DIGEST}": f"index.docker.io/library/web@{DIGEST}",
    f"quay.io/acme/web:1.0@{DIGEST}": f"quay.io/acme/web@{DIGEST}",
    "web:" + "t" * 128: "index.docker.io/library/web:" + "t" * 128,
    "x" * 255: f"index.docker.io/library/{'x' * 255}:latest",
}


@pytest.mark.parametrize("text", READ)
def test_a_reference_has_one_canonical_form(text):
    assert str(parse(text)) == READ[text]


def test_a_reference_has_a_tag_or_a_digest():
    repository = Repository("ghcr.io", "acme/web")
    assert parse("ghcr.io/acme/web:1") == Reference(repository, "1")
    assert parse(f"ghcr.io/acme/web:1@{DIGEST}") == Reference(repository, None, DIGEST)


@pytest.mark.parametrize(
    "text",
    ["", ":", "@", "web:", "web:é", "web:a b", "web:" + "t" * 129, "Web", "a b", "a\tb", "web\n", "x" * 256,
     f"web:@{DIGEST}", f"web:!@{DIGEST}", "web@sha256:" + "D" * 64, "web@sha256:abc", "web@sha512:" + "d" * 128,
     f"web@{DIGEST}@{DIGEST}", f"{'x' * 250}@{DIGEST}", "ghcr.io/", "ghcr.io/Acme/web", "u:p@ghcr.io/web",
     "ghcr.io#x/web", "ghcr.io?x/web", "gh%63r.io/web", "gh cr.io/web", "host.x:5a/web", "[::1/web", "[1.2.3.4]/web",
     "[::1]x/web", "x[::1]/web", "[fe80::1%25en0]/web", "a.b\\c/web", "a.b|c/web"],
)  # fmt: skip
def test_other_text_is_refused(text):
    with pytest.raises(InvalidInput):
        parse(text)


def test_a_repository_has_neither_tag_nor_digest():
    assert parse_repository("ghcr.io/acme/web") == Repository("ghcr.io", "acme/web")
    for text in ("ghcr.io/acme/web:1.0", f"ghcr.io/acme/web@{DIGEST}"):
        with pytest.raises(InvalidInput):
            parse_repository(text)


def test_of_a_long_one_the_error_shows_the_beginning():
    for text in ("a" * 100_000, "A" * 100_000, f"ghcr.io/web@{'x' * 100_000}", f"{'&.' * 50_000}%/web"):
        with pytest.raises(InvalidInput) as caught:
            parse(text)
        assert len(caught.value.message) < 1_500
