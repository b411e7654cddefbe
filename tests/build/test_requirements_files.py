"""Requirements files: what reaches the resolver, and that nothing in them reads a file of this machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.base.errors import InvalidInput, LimitExceeded
from tidegate.build.requirements import Include, collect, parse


def lines(text: str) -> list[str | Include]:
    return list(parse("/app/requirements.txt", text.encode()).lines)


def test_requirements_comments_and_continuations_are_read() -> None:
    text = "# all\nfastapi>=0.110  # web\n\nuvicorn[standard] ; python_version < '4'\npydantic \\\n  >=2\n"
    assert lines(text) == ["fastapi>=0.110", "uvicorn[standard] ; python_version < '4'", "pydantic    >=2"]


def test_hashes_stay_with_their_requirement() -> None:
    assert lines(f"a==1 \\\n    --hash=sha256:{'0' * 64}\n") == [f"a==1      --hash=sha256:{'0' * 64}"]


def test_a_fragment_is_no_comment() -> None:
    url = "app @ https://x.example/app-1-py3-none-any.whl#sha256=aa"
    assert lines(url) == [url]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("-r base.txt", "/app/base.txt"),
        ("-rbase.txt", "/app/base.txt"),
        ("--requirement=../base.txt", "/base.txt"),
        ("-r /etc/base.txt", "/etc/base.txt"),
    ],
)
def test_an_included_file_is_one_of_the_image(line: str, path: str) -> None:
    assert lines(line) == [Include("-r", path)]
    assert lines(line.replace("-r", "-c", 1).replace("--cequirement", "--constraint")) == [Include("-c", path)]


def test_indexes_and_pre_reach_the_resolver() -> None:
    text = "-i https://a.example/simple\n--extra-index-url https://b.example/simple\n--pre\n"
    assert lines(text) == text.splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "./app", "../app", "/srv/app.whl", "app.whl", "file:///etc/passwd", "app @ file:///etc/passwd", "-e .",
        "--find-links /srv", "-f /srv", "--index-url file:///srv", "--index-url http://127.0.0.1/", "-r https://x/y.txt",
        "git+https://x/y", "--no-binary :all:", "--unknown",
    ],
)  # fmt: skip
def test_a_line_that_reaches_elsewhere_is_refused_at_its_place(line: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        lines(f"a\n{line}\n")
    assert str(raised.value).startswith("requirements.txt:2: ")


def test_included_files_are_collected_once() -> None:
    files = {"/a.txt": b"-r b.txt\n-c c.txt\nx\n", "/b.txt": b"-r a.txt\ny\n", "/c.txt": b"z<2\n"}
    assert list(collect(["/a.txt"], files.get)) == ["/a.txt", "/b.txt", "/c.txt"]


def test_a_file_that_was_not_copied_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"/b\.txt is not among the files") as raised:
        collect(["/a.txt"], {"/a.txt": b"-r b.txt"}.get)
    assert raised.value.remedy == "COPY it first"


def test_an_endless_chain_of_files_ends() -> None:
    with pytest.raises(LimitExceeded):
        collect(["/0"], lambda path: f"-r /{int(path[1:]) + 1}".encode())


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        lines(text)
    except InvalidInput:
        return
