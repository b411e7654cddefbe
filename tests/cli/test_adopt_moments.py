"""`--adopt` of `tidegate install` and `tidegate controller`: a moment, so that a restart takes over nothing new."""

from datetime import UTC, datetime, timedelta

import click
import pytest
import yaml
from click.testing import CliRunner

from tidegate.cli.install import install
from tidegate.cli.options import adopt_option


@click.command()
@adopt_option
def shown(adopt):
    click.echo(adopt.isoformat() if adopt else "none")


def said(*arguments):
    done = CliRunner().invoke(shown, arguments)
    return done.exit_code, done.output.strip()


def test_a_moment_is_taken_as_it_is():
    assert said("--adopt=2026-01-15T12:00:00Z") == (0, "2026-01-15T12:00:00+00:00")
    assert said("--adopt", "2026-01-15T13:00:00+01:00") == (0, "2026-01-15T13:00:00+01:00")


def test_without_a_moment_it_is_the_present_one():
    code, output = said("--adopt")
    assert code == 0
    assert abs(datetime.fromisoformat(output) - datetime.now(UTC)) < timedelta(minutes=1)
    assert said() == (0, "none")


@pytest.mark.parametrize("text", ["yesterday", "2026-01-15T12:00:00", ""])
def test_what_is_no_moment_is_refused_with_an_example(text):
    code, output = said(f"--adopt={text}")
    assert code == 2
    assert "is no moment like 20" in output


def test_an_installation_writes_the_moment_into_the_controllers_options():
    done = CliRunner().invoke(install, ["--export", "--kinds=image", "--adopt", "--image=ghcr.io/me/tidegate:1"])
    assert done.exit_code == 0, done.output
    [deployment] = [obj for obj in yaml.safe_load_all(done.output) if obj["kind"] == "Deployment"]
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    [moment] = [argument.removeprefix("--adopt=") for argument in arguments if argument.startswith("--adopt=")]
    assert datetime.fromisoformat(moment) <= datetime.now(UTC)
