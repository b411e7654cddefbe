"""What a workflow says of containers, evaluated, and the command line that podman gets for it."""

import json
from pathlib import Path

import pytest

from tidegate.base.errors import InvalidInput, Where
from tidegate.base.sandbox import UserRange
from tidegate.kinds.reference import parse
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Login
from tidegate.runner.containers import network, podman
from tidegate.runner.containers.externals import Externals, libraries_in, loader_of
from tidegate.runner.containers.wanted import Port, Volume, in_container, volume, wanted_of
from tidegate.runner.place import interpreter
from tidegate.workflow.parse import parse_workflow
from tidegate.workflow.resolve import Scope

SCOPE = Scope({"github": {"ref_name": "main"}, "secrets": {"KEY": "s3cret"}, "matrix": {"image": "", "all": {
    "image": "node:20", "ports": [80], "env": {"A": "b"}}}, "env": {}})  # fmt: skip


def job(text):
    own = "\n".join(f"    {line}" for line in text.splitlines())
    text = f"on: push\njobs:\n  a:\n    runs-on: x\n{own}\n    steps: [{{run: x}}]\n"
    return parse_workflow(text.encode(), "ci.yaml").jobs["a"]


def test_a_container_and_services_with_all_that_github_documents():
    own, services = wanted_of(job("""\
container:
  image: ghcr.io/acme/tools:${{ github.ref_name }}
  env: {A: "${{ secrets.KEY }}"}
  credentials: {username: me, password: "${{ secrets.KEY }}"}
  volumes: [cache:/var/cache:ro, /scratch]
  options: --env B=c --memory 1g
services:
  db: {image: postgres:16, ports: [5432, "15432:5432/tcp", 53:53/udp]}
  none: {image: "${{ matrix.image }}"}
"""), SCOPE)  # fmt: skip
    assert own.image == parse("ghcr.io/acme/tools:main")
    assert own.env == {"A": "s3cret", "B": "c"}
    assert own.login == Login("me", "s3cret")
    assert own.volumes == (Volume("cache", "/var/cache", read_only=True), Volume("", "/scratch"))
    (db,) = services
    assert db.ports == (Port(None, 5432), Port(15432, 5432), Port(53, 53, "udp"))
    assert "s3cret" not in repr(own)


def test_a_container_may_come_of_an_expression():
    own, _ = wanted_of(job("container: ${{ matrix.all }}"), SCOPE)
    assert (own.image, own.ports, own.env) == (parse("node:20"), (Port(None, 80),), {"A": "b"})
    assert in_container(job("container: ${{ matrix.all }}"), SCOPE, "")
    assert not in_container(job("container: ${{ matrix.image }}"), SCOPE, "")
    assert wanted_of(job("container: ${{ matrix.image }}"), SCOPE) == (None, ())
    assert in_container(job(""), SCOPE, "ghcr.io/acme/tools:1")


@pytest.mark.parametrize(
    "text", ["/etc:/x", "./a:/x", "~/a:/x", "a:/", "a:/__w/x", "a:/proc/x", "a:../x", "a:x", "a:/x:z"]
)
def test_a_volume_reaches_neither_the_machine_nor_what_the_runner_brings(text):
    with pytest.raises(InvalidInput):
        volume(text, Where())


def test_credentials_need_both_parts():
    with pytest.raises(InvalidInput, match="'credentials' have no password"):
        wanted_of(job('container: {image: a, credentials: {username: me, password: "${{ secrets.NONE }}"}}'), SCOPE)


def test_a_services_free_ports_are_those_that_no_other_asks_for():
    _, services = wanted_of(job("services: {a: {image: a, ports: [80, '49152:1']}, b: {image: b, ports: [80]}}"), SCOPE)
    ports = network.ports_of(services)
    assert [*ports["a"].values(), *ports["b"].values()] == [49153, 49152, 49154]
    assert network.forwards(services, ports)[2] == network.Forward(49154, "10.253.253.3", 80, "tcp")


def test_podmans_command_line_holds_limits_users_and_no_variable():
    own, _ = wanted_of(job('container: {image: a, env: {A: "${{ secrets.KEY }}"}, options: --memory 900g}'), SCOPE)
    start = podman.Start(
        name="j-job", image="sha256:1", users=UserRange(1000, 65536), network="none", label="j", wanted=own,
        limits=podman.Limits(2 * 1024**3, 1024, 1000, 1000), mounts=(podman.Mount(Path("/a"), "/b", read_only=True),),
        volumes=(("j-cache", "/c", False), ("", "/d", False)),
    )  # fmt: skip
    argv = podman.start_argv(start, Externals(((Path("/lib/ld"), "/__e/loader"),), ("/__e/loader", "x")), 9, "python3")
    for option in ("--uidmap=0:1000:65536", "--gidmap=0:1000:65536", f"--memory={2 * 1024**3}", "--pids-limit=1024",
                   "--network=none", "--volume=/a:/b:ro", "--volume=j-cache:/c", "--volume=/d", "--preserve-fds=1",
                   "--pull=never", '--entrypoint=["/__e/loader"]'):  # fmt: skip
        assert option in argv
    assert argv[-3:] == ["sha256:1", "x", "3"]
    assert not [part for part in argv if "s3cret" in part or part.startswith("--env")]


def test_a_pull_asks_where_the_home_says_with_the_login_for_that_place():
    endpoint = Endpoint("http://127.0.0.1:5000")
    text = podman.registries_text("ghcr.io", endpoint)
    assert 'prefix = "ghcr.io"\nlocation = "127.0.0.1:5000"\ninsecure = true' in text
    assert json.loads(podman.auth_text(endpoint, "ghcr.io", Login("runner", "t"))) == {
        "auths": {"127.0.0.1:5000": {"auth": "cnVubmVyOnQ="}}
    }
    assert podman.pull_argv(parse("redis"), Path("/p/auth.json"))[-1] == "docker://docker.io/library/redis:latest"


def test_an_images_own_settings_are_read():
    image = podman.image_from({
        "Id": "abc", "Config": {"Env": ["A=b=c"], "Entrypoint": ["/run"], "Cmd": None, "User": "7", "WorkingDir": "/w"},
        "HealthCheck": {"Test": ["CMD-SHELL", "ok"], "Interval": 2_000_000_000, "Retries": 4},
    })  # fmt: skip
    assert (image.env, image.entrypoint, image.command, image.user, image.workdir) == (
        {"A": "b=c"},
        ("/run",),
        (),
        "7",
        "/w",
    )
    assert (image.health.command, image.health.interval, image.health.retries) == (("sh", "-c", "ok"), 2.0, 4)


def test_the_loader_and_the_libraries_of_this_machines_python_are_found():
    assert Path(loader_of(interpreter().read_bytes())).exists()
    listing = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)\n\t/lib64/ld.so => /lib64/ld.so (0x3)\n"
    assert libraries_in(listing, Path("/lib64/ld.so")) == [Path("/lib/libc.so.6")]
