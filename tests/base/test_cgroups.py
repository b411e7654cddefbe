"""Control groups: where a process's own are, what is written for a limit, and what is said where none can be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.base.cgroups import CONTROLLERS, Cgroups, Limits, own_groups, settings

HYBRID = """\
25 1 0:21 / /sys/fs/cgroup ro - tmpfs tmpfs ro
26 25 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
27 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
28 25 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
"""
UNIFIED = "26 25 0:22 {root} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_where_the_groups_are_on_a_machine_with_both_versions():
    found = own_groups("4:memory:/a/b\n3:cpu,cpuacct:/\n0::/c\n", HYBRID)
    places = {name: (mounted.version, str(mounted.folder)) for name, mounted in found.items()}
    assert places == {
        "memory": (1, "/sys/fs/cgroup/memory/a/b"),
        "cpu": (1, "/sys/fs/cgroup/cpu,cpuacct"),
        "cpuacct": (1, "/sys/fs/cgroup/cpu,cpuacct"),
        "unified": (2, "/sys/fs/cgroup/unified/c"),
    }


@pytest.mark.parametrize(
    ("root", "path", "folder"),
    [
        ("/", "/user.slice/tidegate.scope", "/sys/fs/cgroup/user.slice/tidegate.scope"),
        ("/docker/1f", "/docker/1f", "/sys/fs/cgroup"),
        ("/docker/1f", "/docker/1f/below", "/sys/fs/cgroup/below"),
        ("/", "/", "/sys/fs/cgroup"),
    ],
)
def test_where_the_group_is_with_version_2_alone(root, path, folder):
    found = own_groups(f"0::{path}\n", UNIFIED.format(root=root))
    assert {name: str(mounted.folder) for name, mounted in found.items()} == {"unified": folder}


def test_nothing_is_mounted():
    assert own_groups("0::/x\n", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n") == {}
    group = Cgroups("0::/x\n", "").make("job", Limits(1, 2**26, 64))
    assert (dict(group.folders), group.entries) == ({}, ())
    assert {lacking.why for lacking in group.lacking.values()} == {"no control groups are mounted"}
    assert not any(group.holds(controller) for controller in CONTROLLERS)
    group.remove()


def test_what_is_written_for_each_version():
    limits = Limits(cpu=1.5, memory=2**29, pids=100)
    assert settings(2, limits) == {
        "cpu": [("cpu.weight", "50", False), ("cpu.max", "150000 100000", True)],
        "memory": [("memory.max", "536870912", True), ("memory.swap.max", "0", False)],
        "pids": [("pids.max", "100", True)],
    }
    assert settings(1, limits)["cpu"][1:] == [
        ("cpu.cfs_period_us", "100000", True),
        ("cpu.cfs_quota_us", "150000", True),
    ]
    assert settings(1, limits)["memory"][0] == ("memory.limit_in_bytes", "536870912", True)
    assert settings(2, Limits()) == {"cpu": [("cpu.weight", "50", False)]}


@pytest.fixture
def unified(tmp_path):
    """A folder with the files of a group of version 2, as they are where a unit has Delegate=yes."""

    def make(controllers="cpu memory pids", shared="", members=""):
        for name, text in (
            ("cgroup.controllers", controllers),
            ("cgroup.subtree_control", shared),
            ("cgroup.procs", members),
        ):
            (tmp_path / name).write_text(text)
        return Cgroups("0::/\n", f"26 25 0:22 / {tmp_path} rw - cgroup2 cgroup2 rw\n")

    return make


def test_controllers_are_handed_on_and_the_limits_written(unified, tmp_path):
    group = unified().make("job", Limits(0.5, 2**26, 64))
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert all(group.holds(controller) for controller in CONTROLLERS)
    (entry,) = group.entries
    assert entry == f"{tmp_path}/tidegate-{os.getpid()}-job/cgroup.procs"
    folder = tmp_path / f"tidegate-{os.getpid()}-job"
    assert (folder / "cpu.max").read_text() == "50000 100000"
    (folder / "memory.events").write_text("low 0\noom 2\noom_kill 3\n")
    (folder / "pids.events").write_text("max 7\n")
    assert (group.memory_kills(), group.refused_processes()) == (3, 7)


def test_what_is_handed_on_already_is_not_asked_for_again(unified, tmp_path):
    unified(shared="cpu memory pids")
    assert (tmp_path / "cgroup.subtree_control").read_text() == "cpu memory pids"


def test_a_raspberry_pi_without_a_memory_controller_is_told_how_to_get_it(unified):
    group = unified(controllers="cpu pids").make("job", Limits(1, 2**26, 64))
    assert (group.holds("cpu"), group.holds("pids"), group.holds("memory")) == (True, True, False)
    assert "has no memory controller" in group.lacking["memory"].why
    assert "cgroup_enable=memory" in group.lacking["memory"].remedy


def test_the_group_that_this_process_was_moved_to_is_not_the_place_for_others(tmp_path):
    (tmp_path / "tidegate-server").mkdir()
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids")
    groups = Cgroups("0::/tidegate-server\n", f"26 25 0:22 / {tmp_path} rw - cgroup2 cgroup2 rw\n")
    assert groups.make("job", Limits(1)).folders["cpu"].parent == tmp_path


def test_a_user_who_may_make_no_group_is_told_so(monkeypatch, tmp_path):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids")
    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    group = Cgroups("0::/\n", f"26 25 0:22 / {tmp_path} rw - cgroup2 cgroup2 rw\n").make("job", Limits(1, 2**26, 64))
    assert group.entries == ()
    for lacking in group.lacking.values():
        assert "Permission denied" in lacking.why
        assert "Delegate=yes" in lacking.remedy


def test_only_groups_of_processes_that_are_gone_are_swept_away(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    names = [f"tidegate-{ended.pid}-1", f"tidegate-{os.getpid()}-1", "tidegate-server", "other"]
    for name in names:
        (tmp_path / name).mkdir()
    Cgroups("3:cpu:/\n", f"27 25 0:23 / {tmp_path} rw - cgroup cgroup rw,cpu\n").sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_a_real_group_holds_a_real_process():
    """Where this machine gives groups, a child that enters one is counted there, and ends with it."""
    group = Cgroups().make("real", Limits(pids=50))
    try:
        if not group.entries:
            assert set(group.lacking) == set(CONTROLLERS)
            return
        child = subprocess.Popen(["sleep", "60"])
        group.add(child.pid)
        for entry in group.entries:
            assert str(child.pid) in Path(entry).read_text().split()
        group.remove()
        assert child.wait(10) == -9
        assert not any(folder.exists() for folder in group.folders.values())
    finally:
        group.remove()
