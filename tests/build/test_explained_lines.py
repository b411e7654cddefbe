"""What `--explain` says of each line: who takes it, and why."""

from __future__ import annotations

from tidegate.build.dockerfile import parse_dockerfile
from tidegate.build.explaining import Explained, explain
from tidegate.build.plan import preview
from tidegate.build.stages import stage_graph
from tidegate.kinds.platform import Platform

ARM, AMD64 = Platform.parse("linux/arm/v7"), Platform.parse("linux/amd64")
TEXT = b"""\
FROM --platform=$BUILDPLATFORM golang AS make
RUN go build -o /out
FROM debian AS unused
RUN anything
FROM debian
COPY --from=make /out /out
RUN ./configure
CMD ["/out"]
"""


def explained(builder: str) -> dict[int, Explained]:
    dockerfile = parse_dockerfile(TEXT)
    graph = stage_graph(dockerfile, None, (ARM, AMD64), {}, AMD64)
    plans = preview(dockerfile, graph, {}, AMD64)
    return {one.line: one for one in explain(dockerfile, graph, plans, AMD64, builder)}


def test_each_line_has_its_builder() -> None:
    assert {line: one.builder for line, one in explained("auto").items()} == {
        1: "native", 2: "mixed", 3: "-", 5: "native", 6: "native", 7: "mixed", 8: "native",
    }  # fmt: skip


def test_a_stage_of_this_machine_is_built_once_and_emulates_nothing() -> None:
    rows = explained("auto")
    assert rows[1].why == "linux/amd64, once for all"
    assert "emulated" not in rows[2].why
    assert rows[7].why.endswith("it runs in a sandbox; emulated for linux/arm/v7")


def test_native_alone_leaves_lines_to_nobody() -> None:
    assert explained("native")[7].builder == "nobody"
    assert "--builder mixed" in explained("native")[7].why


def test_buildah_takes_all() -> None:
    assert {one.builder for one in explained("buildah").values()} == {"buildah", "-"}
