"""Which stages a build needs, for which platforms, and where FROM and --from lead."""

from __future__ import annotations

import pytest
from tests.build.makers import AMD64, ARM

from tidegate.build.dockerfile import InvalidDockerfile, parse_dockerfile
from tidegate.build.plan import preview
from tidegate.build.stages import StageGraph, StageKey, stage_graph
from tidegate.build.steps import NeedsShell, Origin
from tidegate.kinds.platform import Platform

ARM64 = Platform.parse("linux/arm64")


def graph(text: str, *platforms: Platform, target: str | None = None, **build_args: str) -> StageGraph:
    return stage_graph(parse_dockerfile(text.encode()), target, platforms or (ARM,), build_args, AMD64)


def numbers(found: StageGraph) -> list[int]:
    return [key.number for key in found.nodes]


def test_only_what_something_leads_to_is_built_each_after_what_it_needs() -> None:
    text = (
        "FROM a AS one\nFROM b AS two\nCOPY --from=ONE /x /y\nFROM c AS unused\nFROM two\n"
        "RUN --mount=type=bind,from=5,target=/x y\nFROM d\nFROM Two AS last\nCOPY --from=4 /x /y\n"
    ).replace("from=5", "from=one")
    found = graph(text)
    assert numbers(found) == [0, 1, 4, 5]
    (last,) = found.results.values()
    assert found.nodes[last].base == Origin(stage=1)
    assert sorted(found.nodes[last].needs) == [1, 4]
    assert numbers(graph(text, target="two")) == [0, 1]
    assert numbers(graph(text, target="3")) == [0, 1, 3]


def test_a_name_that_is_no_stage_is_an_image() -> None:
    (node,) = graph("FROM scratch\nCOPY --from=nginx:1 /x /y\n").nodes.values()
    assert node.needs == {}


def test_a_stage_of_the_builders_platform_that_asks_for_nothing_is_built_once() -> None:
    text = "FROM --platform=$BUILDPLATFORM node AS web\nRUN x\nFROM scratch\nCOPY --from=web /x /y\n"
    found = graph(text, ARM, ARM64)
    assert list(found.nodes) == [StageKey(0, AMD64, AMD64), StageKey(1, ARM, ARM), StageKey(1, ARM64, ARM64)]


@pytest.mark.parametrize(
    "text",
    [
        "FROM --platform=$BUILDPLATFORM go AS build\nARG TARGETARCH\n",
        "ARG A=$TARGETARCH\nFROM --platform=$BUILDPLATFORM go AS build\nARG A\n",
        "FROM x AS foreign\nFROM --platform=$BUILDPLATFORM go AS build\nCOPY --from=foreign /x /y\n",
        "FROM --platform=$BUILDPLATFORM go AS build\nCOPY --from=busybox /x /y\n",
    ],
)
def test_a_stage_that_may_differ_by_target_is_built_for_each(text: str) -> None:
    found = graph(f"{text}FROM scratch\nCOPY --from=build /x /y\n", ARM, ARM64)
    built = [key for key in found.nodes if key.platform == AMD64]
    assert [(key.platform, key.target) for key in built] == [(AMD64, ARM), (AMD64, ARM64)]


def test_a_stage_upon_another_is_of_that_ones_platform() -> None:
    found = graph("FROM --platform=linux/arm64 x AS one\nFROM one AS two\nFROM scratch\nCOPY --from=two /x /y\n")
    assert [key.platform for key in found.nodes] == [ARM64, ARM64, ARM]


def test_variables_name_images_stages_and_platforms() -> None:
    text = "ARG KIND=dev\nFROM a AS dev\nFROM b AS prod\nFROM --platform=linux/$TARGETARCH $KIND\n"
    assert numbers(graph(text)) == [0, 2]
    assert numbers(graph(text, KIND="prod")) == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM x\nCOPY --from=0 a b\n", "Dockerfile:2: --from=0 leads to a stage that is not built before this one"),
        ("FROM x AS a\nCOPY --from=a a b\n", "Dockerfile:2: --from=a leads to a stage"),
        ("FROM x AS a\nCOPY --from=b a b\nFROM x AS b\nCOPY --from=a a b\n", "Dockerfile:2: --from=b leads to"),
        ("FROM x\nCOPY --from=7 a b\n", "Dockerfile:2: --from=7: there is no stage of that number"),
        ("FROM --platform=x/y/z/a x\n", "Dockerfile:1: FROM --platform=x/y/z/a"),
        ("ARG A=${B\nFROM x\n", "Dockerfile:1: "),
        ("FROM x AS a\nFROM y AS A\n", "Dockerfile:2: there is another stage of the name a"),
        ("FROM x\n" * 201, "Dockerfile:201: more than 200 stages"),
    ],
)
def test_what_leads_nowhere_is_named_at_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidDockerfile) as raised:
        graph(text)
    assert message in str(raised.value)


def test_many_stages_that_read_each_other_are_each_visited_once() -> None:
    lines = ["FROM scratch AS s0"]
    for number in range(1, 200):
        lines.append(f"FROM s{number - 1} AS s{number}")
        lines += [f"COPY --from=s{earlier} /a /b" for earlier in range(max(0, number - 5), number)]
    assert numbers(graph("\n".join(lines))) == list(range(200))


def test_a_stage_inherits_settings_and_arguments_of_the_one_below() -> None:
    text = (
        'FROM x AS one\nARG V=1\nENV E=2\nUSER web\nWORKDIR /app\nSHELL ["/bin/bash", "-c"]\n'
        "ONBUILD ENV TRIGGERED=1\nFROM one\nENV A=$V$E\nRUN x\n"
    )
    dockerfile = parse_dockerfile(text.encode())
    found = stage_graph(dockerfile, None, [ARM], {}, AMD64)
    plan = preview(dockerfile, found, {}, AMD64)[found.results[ARM]]
    assert plan.config.env == ("E=2", "TRIGGERED=1", "A=12")
    (step,) = plan.not_native
    assert isinstance(step, NeedsShell)
    assert (step.command.argv, step.command.folder, step.command.user) == (("/bin/bash", "-c", "x"), "/app", "web")
    assert "OnBuild" not in plan.config.other
