"""The argv and the environment that start a sandbox."""

import marshal
import os
import sys
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, MissingTool
from tidegate.base.sandbox import (
    Bind,
    Capabilities,
    FolderRoot,
    HostRoot,
    Missing,
    OverlayRoot,
    Sandbox,
    UserRange,
    argv,
    environment,
    host_uid,
)

ROOT = Capabilities(root=True, isolation=True, network=True, user_ranges=True)
USER = Capabilities(root=False, isolation=True, network=True, user_ranges=False)


def plan(spec: Sandbox, capabilities: Capabilities) -> dict[str, object]:
    value: dict[str, object] = marshal.loads(bytes.fromhex(environment(spec, capabilities)["TIDEGATE_PLAN"]))
    return value


def test_root_gets_every_namespace_and_no_user_flag() -> None:
    command = argv(Sandbox(), ROOT, ["make", "test"])
    assert command[:7] == ["unshare", "--mount", "--uts", "--ipc", "--pid", "--net", "--fork"]
    assert command[7:11] == ["--kill-child", sys.executable, "-I", "-S"]
    assert command[-2:] == ["make", "test"]


def test_an_ordinary_user_gets_a_user_namespace_first() -> None:
    assert argv(Sandbox(), USER, ["true"])[:4] == ["unshare", "--user", "--map-root-user", "--mount"]


def test_the_host_network_is_kept_only_where_the_spec_says_so() -> None:
    assert "--net" not in argv(Sandbox(network="host"), ROOT, ["true"])


def test_the_commands_environment_is_neither_in_the_argv_nor_acts_on_the_set_up() -> None:
    spec = Sandbox(env={"TOKEN": "s3cret", "LD_PRELOAD": "/evil.so", "PATH": "/evil"})
    given = environment(spec, ROOT)
    assert given["TIDEGATE_ENV_TOKEN"] == "s3cret"
    assert "LD_PRELOAD" not in given
    assert given["PATH"] == os.environ["PATH"]
    assert "s3cret" not in " ".join(argv(spec, ROOT, ["true"]))
    assert b"s3cret" not in bytes.fromhex(given["TIDEGATE_PLAN"])


def test_root_on_the_host_is_refused() -> None:
    for spec in (Sandbox(uid=0, users=None), Sandbox(gid=0, users=None), Sandbox(capabilities=(7,), users=None)):
        with pytest.raises(InvalidInput, match="must not be root"):
            argv(spec, ROOT, ["true"])


def test_root_of_a_range_of_users_is_allowed() -> None:
    assert argv(Sandbox(uid=0, gid=0), ROOT, ["true"])
    with pytest.raises(InvalidInput):
        argv(Sandbox(uid=0, gid=0), Capabilities(True, True, True, user_ranges=False), ["true"])


def test_files_belong_to_the_user_as_the_host_sees_it() -> None:
    assert host_uid(Sandbox(uid=1000, users=UserRange(base=500_000)), ROOT) == 501_000
    assert host_uid(Sandbox(uid=1000, users=None), ROOT) == 1000
    assert host_uid(Sandbox(uid=1000), USER) == os.getuid()


def test_where_nothing_can_be_isolated_the_remedy_is_named() -> None:
    nothing = Capabilities(False, False, False, False, (Missing("no user namespaces", "sysctl -w x=1"),))
    with pytest.raises(MissingTool) as caught:
        argv(Sandbox(network="host"), nothing, ["true"])
    assert caught.value.remedy == "sysctl -w x=1"
    assert caught.value.code == "NoSandbox"


def test_without_network_namespaces_only_the_host_network_works() -> None:
    limited = Capabilities(False, True, network=False, user_ranges=False)
    with pytest.raises(MissingTool, match="network namespace"):
        argv(Sandbox(), limited, ["true"])
    assert argv(Sandbox(network="host"), limited, ["true"])


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(InvalidInput):
        argv(Sandbox(), ROOT, [])


def test_the_plan_names_mounts_in_order() -> None:
    spec = Sandbox(binds=(Bind(Path("/a"), "/x", read_only=True), Bind(Path("/b"), "/x/y")), workdir="/x")
    assert plan(spec, ROOT)["binds"] == [["/a", "/x", True], ["/b", "/x/y", False]]
    assert plan(spec, ROOT)["workdir"] == "/x"


def test_roots_are_planned_by_their_kind(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    host = plan(Sandbox(root=HostRoot(hidden=(tmp_path / "link",))), ROOT)["root"]
    assert isinstance(host, dict)
    assert host["hidden"] == [str(tmp_path.resolve())]
    assert plan(Sandbox(root=FolderRoot(tmp_path)), ROOT)["root"] == {
        "kind": "folder", "path": str(tmp_path), "read_only": False,
    }  # fmt: skip


def test_an_ordinary_users_overlay_keeps_its_marks_in_user_attributes() -> None:
    spec = Sandbox(root=OverlayRoot(Path("/store"), ("b", "a"), "u", "w", "m"))
    by_user, by_root = plan(spec, USER)["root"], plan(spec, ROOT)["root"]
    assert isinstance(by_user, dict)
    assert isinstance(by_root, dict)
    assert by_user["options"] == [",userxattr,volatile", ",userxattr"]
    assert by_root["options"] == [",volatile", ""]
    assert by_root["lower"] == ["b", "a"]
