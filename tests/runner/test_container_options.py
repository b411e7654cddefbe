"""What `options` of a container may say: what stays inside of it, and nothing that reaches the machine."""

import pytest

from tidegate.base.errors import InvalidInput, Where
from tidegate.runner.containers.options import Health, health_of, read_options

HERE = Where("ci.yaml", 7, 3)


def read(text, *, service=True):
    return read_options(text, HERE, service=service)


def test_what_stays_inside_goes_to_podman_as_it_is():
    options = read(
        "--hostname db -l a=b --tmpfs=/run --cpus 1.5 --cap-drop ALL --read-only --security-opt no-new-privileges"
    )
    assert options.passed == (
        "--hostname=db", "--label=a=b", "--tmpfs=/run", "--cpus=1.5", "--cap-drop=ALL", "--read-only",
        "--security-opt=no-new-privileges",
    )  # fmt: skip


def test_what_is_ours_to_apply_is_read():
    options = read("-u 1000:1000 -w /srv -e A=b=c --memory 64m --pids-limit=50 --name db --network-alias sql "
                   "--add-host far:10.0.0.1 --entrypoint /run.sh")  # fmt: skip
    assert (options.user, options.workdir, options.env, options.entrypoint) == (
        "1000:1000",
        "/srv",
        {"A": "b=c"},
        "/run.sh",
    )
    assert (options.memory, options.pids) == (64 * 1024**2, 50)
    assert (options.names, options.hosts) == (("db", "sql"), (("far", "10.0.0.1"),))


@pytest.mark.parametrize(
    "text",
    ["--privileged", "--privileged=true", "--network host", "--net=host", "--pid=host", "--ipc host", "--userns host",
     "--device /dev/sda", "-v /:/host", "--volume=/:/host", "--mount type=bind,src=/,dst=/x", "--volumes-from other",
     "--cap-add SYS_ADMIN", "--cap-add=ALL", "--security-opt seccomp=unconfined", "--cgroup-parent /", "-p 80:80",
     "--env-file /etc/passwd", "--sysctl a=b", "--gpus all", "--uts=host", "--cidfile x", "--runtime other",
     "--rootfs /", "--conmon-pidfile x", "--restart always"],
)  # fmt: skip
def test_what_reaches_the_machine_is_refused_by_its_name(text):
    with pytest.raises(InvalidInput) as error:
        read(text)
    assert text.replace("=", " ").split()[0] in error.value.message
    assert error.value.where == HERE


def test_an_entrypoint_is_a_services_alone():
    with pytest.raises(InvalidInput, match="--entrypoint is not supported"):
        read("--entrypoint sh", service=False)


@pytest.mark.parametrize(
    ("text", "said"),
    [("--health-cmd 'x", "can't be read"), ("--user", "has no value"), ("--env NAME", "--env NAME has no value"),
     ("--memory much", "is no size"), ("--pids-limit 0", "is no number"), ("--add-host a", "is not understood")],
)  # fmt: skip
def test_what_is_not_understood_is_said(text, said):
    with pytest.raises(InvalidInput, match=said):
        read(text)


def test_health_is_what_the_options_say_over_what_the_image_says():
    image = Health(("probe",), interval=5.0, timeout=4.0, retries=7)
    assert health_of(read(""), None, HERE) is None
    assert health_of(read(""), image, HERE) == image
    assert health_of(read("--no-healthcheck"), image, HERE) is None
    assert health_of(read("--health-cmd none"), image, HERE) is None
    said = read('--health-cmd "pg_isready -q" --health-interval 1m30s --health-timeout 5s --health-retries 2 '
                "--health-start-period 3s")  # fmt: skip
    assert health_of(said, None, HERE) == Health(("sh", "-c", "pg_isready -q"), 90.0, 5.0, 3.0, 2)
    assert health_of(read("--health-interval 1s"), image, HERE) == Health(("probe",), 1.0, 4.0, 0.0, 7)


def test_a_wrong_interval_is_named():
    with pytest.raises(InvalidInput, match="--health-interval"):
        health_of(read("--health-cmd x --health-interval soon"), None, HERE)
