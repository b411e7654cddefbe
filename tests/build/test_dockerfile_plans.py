"""What instructions come to: steps, the configuration, and every fault of a file at once."""

from __future__ import annotations

import pytest
from tests.build.makers import ARM, planned, problems

from tidegate.base.errors import InvalidInput
from tidegate.build.actions import InstallWheels
from tidegate.build.dockerfile import parse_dockerfile
from tidegate.build.pip import PipInstall
from tidegate.build.plan import Plan
from tidegate.build.scope import DEFAULT_PATH
from tidegate.build.stages import choose_stage, stage_graph
from tidegate.build.steps import Command, Configure, Copy, MakeDirectory, NamedFile, NeedsShell, Origin, Run
from tidegate.oci.values import ContainerConfig


def only(plan: Plan, kind: type) -> list[object]:
    assert not plan.problems
    return [step for step in plan.steps if isinstance(step, kind)]


def copy(text: str) -> Copy:
    (step,) = only(planned(f"FROM x\n{text}"), Copy)
    assert isinstance(step, Copy)
    return step


def config(text: str, base: ContainerConfig | None = None, **build_args: str) -> ContainerConfig:
    plan = planned(f"FROM x\n{text}", base=base, **build_args)
    assert not plan.problems
    return plan.config


def test_the_guides_dockerfile_becomes_steps_and_a_configuration() -> None:
    plan = planned(
        "FROM python:3.11-slim\nWORKDIR /app\nCOPY requirements.txt .\n"
        "RUN pip install --no-cache-dir -r requirements.txt\nCOPY main.py .\nARG VERSION=dev\n"
        'ENV APP_VERSION=${VERSION}\nEXPOSE 8000\nUSER 1000:1000\nCMD ["uvicorn", "main:app"]\n',
        base=ContainerConfig(env=("PATH=/usr/bin",), cmd=("python3",)),
        VERSION="1.0.7",
    )
    assert not plan.problems
    assert [type(step) for step in plan.steps] == [
        MakeDirectory, Copy, Run, Copy, Configure, Configure, Configure, Configure, Configure,
    ]  # fmt: skip
    assert plan.steps[2] == Run(
        4,
        "RUN pip install --no-cache-dir -r requirements.txt",
        (InstallWheels("/app", PipInstall(requirements=("requirements.txt",))),),
        Command(("/bin/sh", "-c", "pip install --no-cache-dir -r requirements.txt"), "/app", "", ("PATH=/usr/bin",)),
    )
    assert plan.config == ContainerConfig(
        env=("PATH=/usr/bin", "APP_VERSION=1.0.7"),
        cmd=("uvicorn", "main:app"),
        working_dir="/app",
        user="1000:1000",
        exposed_ports=("8000/tcp",),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ENV A=1 B=two\\ words", ("A=1", "B=two words")),
        ("ENV A one two", ("A=one two",)),
        ("ENV A=1\nENV B=$A-${A}", ("A=1", "B=1-1")),
        ("ENV A=1 B=$A", ("A=1", "B=")),
        ("ENV B=${NONE:-fallback}", ("B=fallback",)),
        ("ENV A=x\nENV B=${A:+set}", ("A=x", "B=set")),
        ("ENV A='$B'", ("A=$B",)),
        ("ARG V=1\nENV A=$V", ("A=1",)),
        ("ENV V=env\nARG V=arg\nENV A=$V", ("V=env", "A=env")),
    ],
)
def test_variables_are_filled_in_as_buildkit_does(text: str, value: tuple[str, ...]) -> None:
    assert config(text).env == value


def test_a_build_argument_counts_only_where_the_file_asks_for_it() -> None:
    assert config("ENV A=$V", V="1").env == ("A=",)
    assert config("ARG V\nENV A=$V", V="1").env == ("A=1",)
    assert config("ARG V=default\nENV A=$V", V="1").env == ("A=1",)


def test_arguments_before_from_name_the_base_and_reach_a_stage_that_asks() -> None:
    text = "ARG TAG=3.11\nARG UNUSED\nFROM python:${TAG}-slim\nARG TAG\nENV A=$TAG\n"
    dockerfile = parse_dockerfile(text.encode())
    for arguments, name in (({}, "python:3.11-slim"), ({"TAG": "3.13"}, "python:3.13-slim")):
        (node,) = stage_graph(dockerfile, None, [ARM], arguments, ARM).nodes.values()
        assert node.base == Origin(image=name)
    assert planned(text).config.env == ("A=3.11",)


def test_the_platforms_arguments_are_those_of_the_target() -> None:
    text = "FROM x\nARG TARGETPLATFORM\nARG TARGETARCH TARGETVARIANT BUILDPLATFORM\n"
    plan = planned(f"{text}ENV A=$TARGETPLATFORM B=$TARGETARCH$TARGETVARIANT C=$BUILDPLATFORM", platform=ARM)
    assert plan.config.env == ("A=linux/arm/v7", "B=armv7", "C=linux/amd64")


def test_a_later_env_replaces_an_earlier_one_in_its_place() -> None:
    base = ContainerConfig(env=("PATH=/bin", "LANG=C"))
    assert config("ENV PATH=/venv:$PATH", base).env == ("PATH=/venv:/bin", "LANG=C")


def test_shell_forms_get_the_shell() -> None:
    assert config("CMD run --me").cmd == ("/bin/sh", "-c", "run --me")
    assert config('SHELL ["/bin/bash", "-ec"]\nENTRYPOINT x').entrypoint == ("/bin/bash", "-ec", "x")
    assert config('CMD ["a", "b"]').cmd == ("a", "b")


def test_an_entrypoint_takes_the_bases_command_away_but_not_the_files_own() -> None:
    base = ContainerConfig(cmd=("python3",))
    assert config('ENTRYPOINT ["x"]', base).cmd == ()
    assert config('CMD ["y"]\nENTRYPOINT ["x"]', base).cmd == ("y",)
    assert config("ENV A=1", base).cmd == ("python3",)


def test_labels_ports_volumes_signal_and_health_are_in_the_configuration() -> None:
    found = config(
        'LABEL a=1 "b c"="d e"\nEXPOSE 80 53/udp 8000-8002\nVOLUME ["/data"]\nVOLUME /x /y\nSTOPSIGNAL SIGINT\n'
        "HEALTHCHECK --interval=30s --timeout=1m30s --retries=3 CMD curl -f http://localhost/"
    )
    assert found.labels == {"a": "1", "b c": "d e"}
    assert found.exposed_ports == ("53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp")
    assert found.volumes == ("/data", "/x", "/y")
    assert found.stop_signal == "SIGINT"
    assert found.other["Healthcheck"] == {
        "Test": ["CMD-SHELL", "curl -f http://localhost/"],
        "Interval": 30_000_000_000,
        "Timeout": 90_000_000_000,
        "Retries": 3,
    }
    assert config("HEALTHCHECK NONE").other["Healthcheck"] == {"Test": ["NONE"]}


def test_a_relative_workdir_is_below_the_one_before() -> None:
    assert config("WORKDIR /a\nWORKDIR b/../c").working_dir == "/a/c"
    assert config("ENV D=/x\nWORKDIR $D/y/").working_dir == "/x/y"


@pytest.mark.parametrize(
    ("line", "sources", "destination"),
    [
        ("COPY a /b", ("a",), "/b"),
        ("COPY a b /c/", ("a", "b"), "/c/"),
        ("COPY a .", ("a",), "/"),
        ('COPY ["a b", "/c d/"]', ("a b",), "/c d/"),
        ('COPY "a b" /c', ("a b",), "/c"),
        ("COPY . /app/.", (".",), "/app/"),
        ("ADD a /b", ("a",), "/b"),
    ],
)
def test_copies_know_sources_and_an_absolute_destination(line: str, sources: tuple[str, ...], destination: str) -> None:
    step = copy(line)
    assert (step.sources, step.destination) == (sources, destination)


def test_a_copy_goes_to_the_working_directory() -> None:
    assert copy("WORKDIR /app\nCOPY a .").destination == "/app/"
    assert copy("WORKDIR /app\nCOPY a b").destination == "/app/b"


def test_copy_flags_are_owner_and_mode() -> None:
    step = copy("ARG U=7\nCOPY --link --chown=$U:8 --chmod=0750 a /b")
    assert (step.owner, step.mode) == ("7:8", 0o750)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("RUN apt-get upgrade", "`apt-get upgrade` must be run"),
        ("RUN make", "`make` must be run"),
        ("RUN pip install a>=1", "put quotes around a requirement"),
        ("RUN --mount=type=secret,id=x pip install a", "--mount=type=secret gives a command what no layer has"),
        ("RUN --mount=type=nonsense,id=x pip install a", "there is no type 'nonsense'"),
        ("RUN --mount=type=cache pip install a", "--mount=type=cache needs a target"),
        ("RUN --network=moon pip install a", "RUN --network=moon is not built"),
        ("COPY --parents a /b", "COPY --parents is not built natively yet"),
        ("COPY --chmod=u+x a /b", "write an octal mode"),
        ("COPY a", "COPY needs a source and a destination"),
        ("COPY ../a /b", "COPY ../a leads out of the context"),
        ("COPY a/../../b /b", "COPY a/../../b leads out of the context"),
        ("COPY a b /c", "needs a destination that ends with /"),
        ("ADD https://x/y /z", "an ADD of a URL needs --checksum=sha256:"),
        ("ADD --checksum=md5:1 https://x/y /z", "--checksum=md5:1 is no sha256 digest"),
        ("ADD --checksum=sha256:1 y /z", "--checksum is for an ADD of a URL"),
        ("ADD https://x/y.git /z", "ADD of a Git repository is not built"),
        ("ADD git@x:y /z", "ADD of a Git repository is not built"),
        ("ONBUILD FROM x", "ONBUILD FROM is not allowed"),
        ("EXPOSE http", "EXPOSE 'http' is no port"),
        ("EXPOSE 0", "is no port"),
        ("STOPSIGNAL 1 2", "is no signal"),
        ("WORKDIR $NONE", "WORKDIR needs a path"),
        ("SHELL /bin/bash", "SHELL takes a JSON list"),
        ("HEALTHCHECK --interval=soon CMD x", "HEALTHCHECK --interval=soon"),
        ("HEALTHCHECK CMD", "HEALTHCHECK takes NONE, or CMD and a command"),
        ("ENV A=${B", "failed to process"),
        ("USER --x y", "USER has no flag --x"),
        ('SHELL ["/bin/zsh", "-c"]\nRUN pip install a', "the shell /bin/zsh -c must be run"),
    ],
)
def test_what_can_not_be_built_is_named_at_its_line(line: str, message: str) -> None:
    ((number, found),) = problems(line)
    assert message in found
    assert number == 2 + (0 if "<<" in line else line.count("\n"))


def test_a_run_that_is_not_native_is_a_step_with_its_whole_command() -> None:
    plan = planned(
        "FROM x\nARG V=1\nENV A=2\nWORKDIR /w\nUSER web:staff\n"
        "RUN --network=none --mount=type=cache,target=/c --mount=type=bind,from=img,src=/s,dst=/d make $V\n"
        'RUN ["make", "$V"]\nRUN <<EOF\nmake $V\nEOF\nRUN python3 <<PY\nprint()\nPY\n',
        HTTP_PROXY="http://proxy",
        UNUSED="x",
    )
    assert not plan.problems
    first, second, third, fourth = plan.not_native
    assert isinstance(first, NeedsShell)
    assert (first.line, first.why) == (6, "--mount=type=bind gives a command what no layer has")
    command = first.command
    assert (command.argv, command.folder, command.user) == (("/bin/sh", "-c", "make $V"), "/w", "web:staff")
    assert command.network == "none"
    assert set(command.environment) == {"A=2", "V=1", "HTTP_PROXY=http://proxy", f"PATH={DEFAULT_PATH}"}
    assert [(mount.type, mount.target, mount.source) for mount in command.mounts] == [
        ("cache", "/c", ""),
        ("bind", "/d", "/s"),
    ]
    assert command.mounts[1].origin == Origin(image="img")
    assert second.command.argv == ("make", "$V")
    assert third.command.argv == ("/bin/sh", "-c", "make $V\n")
    assert fourth.command.argv == ("/bin/sh", "-c", "python3 <<PY\nprint()\nPY\n")


def test_every_fault_is_found_in_one_pass() -> None:
    assert [line for line, _ in problems("RUN make\nENV A=1\nRUN gcc\nEXPOSE x")] == [2, 4, 5]


def test_the_settings_of_pip_in_the_environment_count() -> None:
    plan = planned("FROM x\nENV PIP_NO_CACHE_DIR=1 PIP_INDEX_URL=https://i.example/simple\nRUN pip install a")
    (step,) = only(plan, Run)
    assert isinstance(step, Run)
    assert step.actions == (InstallWheels("/", PipInstall(names=("a",), index_url="https://i.example/simple")),)
    assert "PIP_TARGET" in problems("ENV PIP_TARGET=/x\nRUN pip install a")[0][1]


def test_upgrading_pip_is_noted_and_changes_nothing() -> None:
    plan = planned("FROM x\nRUN pip install --upgrade pip\n")
    assert [type(step) for step in plan.steps] == [Configure]
    assert plan.notes == (
        "line 2: pip itself is not installed or upgraded: wheels are put into the image from outside",
    )


def test_a_stage_is_chosen_by_name_or_number_else_the_last() -> None:
    dockerfile = parse_dockerfile(b"FROM a AS One\nFROM b AS two\nFROM c\n")
    assert choose_stage(dockerfile, None).base == "c"
    assert choose_stage(dockerfile, "one").base == "a"
    assert choose_stage(dockerfile, "1").base == "b"
    with pytest.raises(InvalidInput, match="no stage 'three'"):
        choose_stage(dockerfile, "three")


def test_the_onbuilds_of_a_base_come_first_and_go() -> None:
    triggers = ["ENV A=1", "COPY . /app/", 'RUN ["make", "$A"]']
    plan = planned("FROM x\nENV B=$A\n", base=ContainerConfig(other={"OnBuild": triggers}))
    assert not plan.problems
    assert [type(step) for step in plan.steps] == [Configure, Copy, NeedsShell, Configure]
    assert plan.config.env == ("A=1", "B=1")
    assert plan.config.other == {}
    for wrong, message in (("COPY --from=a /x /y", "--from is not built there"), ("NONSENSE", "unknown instruction")):
        found = planned("FROM x\n", base=ContainerConfig(other={"OnBuild": [wrong]}))
        ((line, said),) = ((problem.line, problem.message) for problem in found.problems)
        assert line == 1
        assert f"ONBUILD {wrong}, of the base" in said
        assert message in said


def test_heredocs_of_copy_are_files_with_variables_where_the_name_has_no_quotes() -> None:
    step = copy("ARG V=1\nCOPY --chmod=600 <<one.txt <<'two' /etc/x/\nit's $V \\$V\none.txt\n$V\ntwo")
    assert step.files == (NamedFile("one.txt", b"it's 1 $V\n"), NamedFile("two", b"$V\n"))
    assert (step.sources, step.destination, step.mode) == ((), "/etc/x/", 0o600)
