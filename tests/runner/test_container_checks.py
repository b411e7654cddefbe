"""What keeps a workflow's containers from running, at its line, before anything runs."""

import os

from tidegate.runner.containers.check import NoContainers, container_problems
from tidegate.runner.containers.engine import Podman
from tidegate.workflow.parse import parse_workflow

MISSING = NoContainers("the program 'podman' is not installed", "install it: apt-get install podman")
TEXT = """\
on: push
jobs:
  a:
    runs-on: x
    container:
      image: Node:20
      options: --privileged
      volumes: ["/etc:/host", "cache:/cache"]
    services:
      db:
        image: postgres
        ports: [5432, "99999:1", "${{ github.run_id }}:80"]
        options: --network host
    steps:
      - uses: docker://alpine:3
      - uses: docker://UPPER
"""


def problems(text, lack=None):
    workflow = parse_workflow(text.encode(), "ci.yaml")
    return [(problem.where.line, problem.message, problem.help) for problem in container_problems(workflow, lack)]


def test_everything_that_reaches_the_machine_is_named_at_its_line():
    found = problems(TEXT)
    assert [line for line, _, _ in found] == [6, 7, 8, 13, 12, 16]
    assert "--privileged is not supported" in found[1][1]
    assert "'/etc:/host' reaches the machine's own files" in found[2][1]
    assert "--network is not supported" in found[3][1]
    assert "'99999:1' is no port" in found[4][1]


def test_where_podman_is_missing_each_use_is_refused_with_the_package():
    found = problems(TEXT.replace("Node", "node"), lambda: MISSING)
    assert found[:4] == [
        (5, "'container' can't run here: the program 'podman' is not installed", MISSING.remedy),
        (10, "'services' can't run here: the program 'podman' is not installed", MISSING.remedy),
        (15, "an action from an image can't run here: the program 'podman' is not installed", MISSING.remedy),
        (16, "an action from an image can't run here: the program 'podman' is not installed", MISSING.remedy),
    ]


def test_podman_is_not_asked_for_a_workflow_without_containers():
    def never():
        raise AssertionError("it was asked")

    assert problems("on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}", never) == []


def test_the_package_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    podman = Podman(tmp_path / "containers")
    for program, package in (("podman", "podman"), ("conmon", "conmon"), ("ip", "iproute2"), ("nsenter", "util-linux")):
        missing = podman.lack()
        assert (missing.why, missing.remedy) == (
            f"the program {program!r} is not installed",
            f"install it: apt-get install {package}",
        )
        (tmp_path / program).write_text("#!/bin/false\n")
        (tmp_path / program).chmod(0o755)
    assert "'runc'" in podman.lack().why


def test_an_ordinary_user_is_told_that_root_is_needed(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "does not run as root" in Podman(tmp_path / "containers").lack().why
    assert not list(tmp_path.iterdir())
