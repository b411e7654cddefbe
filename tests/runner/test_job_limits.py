"""What a job may use: what its Runner says, what is taken for granted on a small machine, and how it is told."""

from tidegate.base.cgroups import Group, Lacking
from tidegate.runner import limits
from tidegate.runner.limits import GIB, MIB, Machine, bounds

PI = Machine(memory=920 * MIB, disk_free=20 * GIB, disk_size=29 * GIB)
HELD = Group({"cpu": "/c", "memory": "/m", "pids": "/p"})
NOTHING = Group({}, {name: Lacking("no group is mounted", "mount one") for name in ("cpu", "memory", "pids")})


def test_a_raspberry_pi_keeps_a_quarter_of_its_memory_and_half_of_its_card():
    found = bounds({}, PI)
    assert (found.cpu, found.memory, found.pids, found.storage) == (None, 690 * MIB, 1024, int(9.5 * GIB))
    assert found.floor == GIB
    assert found.files == found.storage // 16_384


def test_jobs_at_once_share_the_memory():
    assert bounds({"jobs": 2}, PI).memory == 345 * MIB
    assert bounds({"jobs": 50}, PI).memory == 256 * MIB, "less would run nothing"


def test_a_small_card_keeps_a_tenth():
    card = Machine(512 * MIB, disk_free=500 * MIB, disk_size=4 * GIB)
    assert (bounds({}, card).floor, bounds({}, card).storage) == (4 * GIB // 10, 45 * MIB)


def test_what_the_runner_says_counts():
    said = {"cpu": 0.5, "memory": 64 * MIB, "storage": 40 * GIB, "pids": 20, "jobs": 3}
    found = bounds(said, PI)
    assert (found.cpu, found.memory, found.storage, found.pids) == (0.5, 64 * MIB, 40 * GIB, 20)
    assert (found.group.cpu, found.group.memory, found.group.pids) == (0.5, 64 * MIB, 20)


def test_each_process_is_bounded_too():
    found = bounds({"memory": 64 * MIB, "storage": GIB, "pids": 20}, PI)
    assert limits.of_processes(found, HELD, PI) == {
        "core": 0, "nofile": 65_536, "nproc": 20, "fsize": GIB, "data": 690 * MIB,
    }  # fmt: skip
    assert limits.of_processes(found, NOTHING, PI)["data"] == 64 * MIB, "in the group's place"


def test_the_log_says_what_a_job_may_use():
    (line,) = limits.introduction(bounds({"cpu": 1.5}, PI), HELD, 360)
    assert line == "Limits: 1.5 cores, 690Mi of memory, 1024 processes, 9728Mi on disk, 360 minutes"


def test_the_log_says_what_nothing_enforces():
    _, *told = limits.introduction(bounds({"cpu": 1.5}, PI), NOTHING, 360)
    assert told[0] == (
        "No control group holds cpu, so a job only gives way to others (nice 10): no group is mounted. "
        "To have one, mount one."
    )
    assert [line.split(",")[0] for line in told] == [
        f"No control group holds {name}" for name in ("cpu", "memory", "pids")
    ]


def test_cores_that_nobody_limits_need_no_word():
    _, *told = limits.introduction(bounds({}, PI), NOTHING, 360)
    assert not any("holds cpu" in line for line in told)


def test_a_job_that_met_a_limit_is_told_which_field_gives_more():
    found = bounds({"memory": 64 * MIB, "storage": GIB, "pids": 20}, PI)
    assert limits.memory_spent(found, 1).startswith("a process of the job was ended: it has used all of its 64Mi")
    assert limits.memory_spent(found, 3).startswith("3 processes of the job were ended")
    assert "spec.resources.limits.pids" in limits.pids_spent(found)
    assert "more than its 1Gi on the disk" in str(limits.storage_spent(found, GIB + 1, 1))
    assert "more than its 65536 files" in str(limits.storage_spent(found, 1, 65_537))
    assert limits.storage_spent(found, GIB, 65_536) is None
