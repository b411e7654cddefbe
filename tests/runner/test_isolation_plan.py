import os
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, MissingTool
from tidegate.base.sandbox import Capabilities, Missing
from tidegate.runner import isolation as isolating
from tidegate.runner.isolation import Held, Isolation
from tidegate.runner.layout import Layout
from tidegate.runner.place import agent_program

FULL = Capabilities(root=True, isolation=True, network=True, user_ranges=True)
NONE = Capabilities(False, False, False, False, (Missing("no user namespaces", "sysctl -w x=1"),))
HOME = Path("/opt/tidegate")
HELD = Held({"core": 0}, ("/sys/fs/cgroup/x/cgroup.procs",), nice=10)


def layout(isolation):
    outside = Path("/home-of-tidegate/jobs/a/home")
    return Layout(outside, Path("/j/tmp"), Path("/j/staging"), isolating.job_home(isolation, outside), "shop")


def sandbox(isolation, slot=0):
    return isolating.sandbox(isolation, layout(isolation), slot, {"/etc/passwd": Path("/j/passwd")}, HELD)


def test_a_job_sees_its_own_folder_its_tmp_and_the_agent_alone():
    spec = sandbox(Isolation("sandbox", FULL))
    binds = {bind.target: (str(bind.source), bind.read_only) for bind in spec.binds}
    assert binds["/home/runner"] == ("/home-of-tidegate/jobs/a/home", False)
    assert binds["/tmp"] == binds["/var/tmp"] == ("/j/tmp", False)
    assert binds["/run/tidegate/agent"] == (str(agent_program()), True)
    assert binds["/etc/passwd"] == ("/j/passwd", True)
    assert not any("staging" in source for source, _ in binds.values())
    assert (spec.network, spec.uid, spec.capabilities) == ("none", 1001, ())


def test_a_home_among_the_systems_folders_is_hidden():
    spec = sandbox(Isolation("sandbox", FULL, hidden=(HOME, Path("/root/x"))))
    assert spec.root.hidden == (HOME,)


def test_each_slot_has_users_of_its_own():
    ranges = [sandbox(Isolation("sandbox", FULL), slot).users for slot in range(3)]
    bases = [one.base for one in ranges]
    assert bases == [0x6000_0000, 0x6001_0000, 0x6002_0000]
    last = isolating.FIRST_RANGE + isolating.SLOTS * isolating.RANGE_SIZE
    assert last <= 1_879_048_192, "workloads have their users from there on"


def test_a_place_is_started_through_the_sandbox():
    isolation = Isolation("sandbox", FULL)
    start = isolating.start(isolation, sandbox(isolation), 7)
    assert start.argv[0] == "unshare"
    assert {"--mount", "--pid", "--net", "--ipc", "--uts", "--kill-child"} <= set(start.argv)
    assert start.argv[-4:] == ["-I", "-S", "/run/tidegate/agent", "7"]
    assert start.owner == 0x6000_0000 + 1001


def test_on_the_host_the_agent_ends_what_is_left_itself():
    isolation = Isolation("none", NONE)
    start = isolating.start(isolation, sandbox(isolation), 7)
    assert start.argv[1:] == ["-I", "-S", str(agent_program()), "7", "host"]
    assert start.on_host
    assert start.owner == os.geteuid()
    assert layout(isolation).workspace == "/home-of-tidegate/jobs/a/home/work/shop/shop"


def test_without_isolation_jobs_are_refused_with_the_remedy():
    with pytest.raises(MissingTool, match=r"jobs can't be isolated: .*no user namespaces") as caught:
        isolating.check(Isolation("sandbox", NONE))
    assert "sysctl -w x=1" in caught.value.remedy
    assert "spec.isolation to none" in caught.value.remedy
    isolating.check(Isolation("none", NONE))
    isolating.check(Isolation("sandbox", FULL))


def test_the_jobs_user_has_a_name_and_a_home():
    system = (
        "root:x:0:0:root:/root:/bin/bash\nsomebody:x:1001:1001::/home/x:/bin/sh\nrunner:x:50:50::/x:/bin/sh\nbroken\n"
    )
    assert isolating.passwd(system).splitlines() == [
        "root:x:0:0:root:/root:/bin/bash",
        "runner:x:1001:1001:runner:/home/runner:/bin/bash",
    ]
    assert isolating.group("root:x:0:\n").splitlines() == ["root:x:0:", "runner:x:1001:"]


def test_a_path_of_a_workflow_does_not_leave_the_workspace():
    inside = layout(Isolation("sandbox", FULL))
    assert inside.in_workspace(".") == "/home/runner/work/shop/shop"
    assert inside.in_workspace("./a/../b") == "/home/runner/work/shop/shop/b"
    assert inside.in_workspace("/home/runner/work/shop/shop/c") == "/home/runner/work/shop/shop/c"
    for path in ("..", "../shop2", "/etc", "a/../../.."):
        with pytest.raises(InvalidInput, match="not under the workspace"):
            inside.in_workspace(path)
