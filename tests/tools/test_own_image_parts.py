"""What `make image` builds from: which wheel, which words about it, whose folder it may replace."""

import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest

from tidegate.base.errors import AlreadyExists, InvalidInput
from tidegate.build.actions import InstallWheels
from tidegate.build.dockerfile import parse_dockerfile
from tidegate.build.index_settings import IndexSettings
from tidegate.build.plan import preview
from tidegate.build.requirements import parse
from tidegate.build.stages import stage_graph
from tidegate.build.steps import Run
from tidegate.kinds.platform import Platform

SOURCE = Path(__file__).parents[2] / "tools/image/build.py"
SPEC = importlib.util.spec_from_file_location("own_image_parts", SOURCE)
own = importlib.util.module_from_spec(SPEC)
sys.modules["own_image_parts"] = own
SPEC.loader.exec_module(own)
PI = Platform.parse("linux/arm/v7")


def test_only_this_very_wheel_can_be_taken(tmp_path):
    wheel = tmp_path / "tidegate-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    line = own.requirement(wheel)
    assert line == f"tidegate==0.1.0 --hash=sha256:{hashlib.sha256(b'wheel').hexdigest()}\n"
    assert parse("tidegate.txt", line.encode()).lines == (line.strip(),)


def test_wheels_of_the_folder_come_besides_those_of_the_host():
    settings = own.with_folder(IndexSettings(find_links=("/host",)), Path("/cache/wheels"))
    assert settings.find_links == ("/host", "/cache/wheels")


def test_the_image_says_what_it_is_but_names_no_commit_that_it_is_not():
    about = own.descriptions(own.Commit(0), "1.2.3")
    assert about["org.opencontainers.image.version"] == "1.2.3"
    assert about["org.opencontainers.image.created"] == "1970-01-01T00:00:00Z"
    assert about["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert "org.opencontainers.image.revision" not in about
    assert own.descriptions(own.Commit(0, "abc"), "1")["org.opencontainers.image.revision"] == "abc"


def test_its_dockerfile_is_one_that_the_native_builder_takes():
    dockerfile = parse_dockerfile((SOURCE.parent / "Dockerfile").read_bytes())
    (planned,) = preview(dockerfile, stage_graph(dockerfile, None, [PI], {}, PI), {}, PI).values()
    assert planned.problems == ()
    assert planned.not_native == ()
    assert dockerfile.stages[0].base == own.FROM
    actions = [action for step in planned.steps if isinstance(step, Run) for action in step.actions]
    installs = [action.install for action in actions if isinstance(action, InstallWheels)]
    assert [install.require_hashes and install.no_deps for install in installs] == [True, True]
    assert "git" in own.base().packages
    assert "perl" in own.base().without


async def test_the_packages_of_today_are_looked_up_only_where_that_is_asked(tmp_path, monkeypatch):
    asked = []

    async def make_bases(spec, platforms, store, log, *, refresh):
        asked.append((spec.name, spec.packages, platforms, store.root, refresh))

    async def build_image(request, registry, log, *, index):
        assert request.bases == {own.FROM: own.BASE}
        assert (request.context / "requirements.txt").read_text() == "locked"
        assert (tmp_path / "wheels/tidegate-1-py3-none-any.whl").read_bytes() == b"wheel"

    async def build_wheel(folder, created):
        folder.mkdir()
        (folder / "tidegate-1-py3-none-any.whl").write_bytes(b"wheel")
        return folder / "tidegate-1-py3-none-any.whl"

    async def locked():
        return "locked"

    for fake in (make_bases, build_image, build_wheel, locked):
        monkeypatch.setattr(own, fake.__name__, fake)
    for refresh in (False, True):
        await own.make_image(own.Wanted(tmp_path, own.Commit(0), ("linux/arm/v7",), refresh=refresh), print)
    assert asked == [("debian:bookworm", own.base().packages, (PI,), tmp_path, True)]


def test_an_earlier_image_is_replaced_and_nothing_else(tmp_path):
    image, other = tmp_path / "image", tmp_path / "other"
    for folder, name in ((image, "oci-layout"), (other, "thesis.tex")):
        folder.mkdir()
        (folder / name).touch()
    own.clear(image)
    own.clear(tmp_path / "new")
    assert not image.exists()
    with pytest.raises(AlreadyExists, match="something else"):
        own.clear(other)
    assert (other / "thesis.tex").exists()


async def test_a_wrong_time_is_refused():
    with pytest.raises(InvalidInput, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        await own.read_commit({"SOURCE_DATE_EPOCH": "yesterday"})
