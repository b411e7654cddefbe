"""How buildah is called, and what its Dockerfile looks like by then."""

from __future__ import annotations

import json
import tomllib

from tidegate.build.buildah.command import (
    Build,
    build_argv,
    environment,
    is_ours,
    pip_conf,
    rewritten,
    settings,
    version_of,
)  # fmt: skip
from tidegate.build.index_settings import IndexSettings


def test_a_build_is_for_one_platform_and_of_one_time() -> None:
    build = Build("linux/arm/v7", "localhost/x", 17, "web", {"A": "b c"}, {"token": "secret-0"}, "none", True)
    argv = build_argv(build)
    pairs = {
        "--platform": "linux/arm/v7", "--timestamp": "17", "--target": "web", "--build-arg": "A=b c",
        "--secret": "id=token,src=/tmp/work/secret-0", "--network": "none", "--isolation": "chroot",
    }  # fmt: skip
    assert {flag: argv[argv.index(flag) + 1] for flag in pairs} == pairs
    assert {"--no-cache", "--pull=never", "--layers"} <= set(argv)
    assert argv[-1] == "/tmp/work/context"


def test_nothing_of_the_machines_settings_is_read() -> None:
    files, variables = settings("[global]\n"), environment()
    assert tomllib.loads(files["storage.conf"])["storage"]["graphroot"].startswith("/tmp/storage/")
    assert tomllib.loads(files["registries.conf"])["unqualified-search-registries"] == []
    assert json.loads(files["policy.json"])
    assert len(tomllib.loads(files["containers.conf"])["containers"]["volumes"]) == 2
    places = [text for name, text in variables.items() if name.endswith(("CONF", "HOME", "FILE"))]
    assert all(text.startswith("/tmp/work") for text in places)


def test_bases_get_the_names_that_they_have_here() -> None:
    text = "FROM --platform=$BUILDPLATFORM a AS a\nCOPY x \\\n  y\nFROM a\nCOPY --from=b:1 /x /y\n"
    changes = [(1, "--platform=$BUILDPLATFORM ", ""), (1, "a", "localhost/t:1"), (5, "from=b:1", "from=localhost/t:2")]
    assert (
        rewritten(text, changes) == "FROM localhost/t:1 AS a\nCOPY x \\\n  y\nFROM a\nCOPY --from=localhost/t:2 /x /y\n"
    )


def test_what_it_mounts_on_is_left_out_and_a_file_of_that_name_is_not() -> None:
    assert is_ours("etc/hosts", stub=True, pip=False)
    assert not is_ours("etc/hosts", stub=False, pip=False)
    assert not is_ours("etc/pip.conf", stub=True, pip=False)
    assert is_ours("run/secrets", stub=False, pip=False)


def test_index_settings_are_a_pip_conf() -> None:
    assert pip_conf(IndexSettings()) == ""
    assert "index-url = https://x/simple" in pip_conf(IndexSettings("https://x/simple"))


def test_its_version_is_read() -> None:
    assert version_of("buildah version 1.28.2 (image-spec 1.1.0-rc2)") == (1, 28)
    assert version_of("") == (0, 0)
