"""Which server a command asks: a home's doors, or a cluster."""

import json
import os

import click
import pytest

from tidegate.base.errors import NotFound
from tidegate.base.home import Home, Server
from tidegate.cli.doors import Doors, connect
from tidegate.cli.main import run
from tidegate.serve.kubeconfig import kubeconfig


@pytest.fixture
def cluster(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(kubeconfig("https://cluster.test:6443", "cluster-token"))
    return path


@pytest.fixture
def home(tmp_path):
    """A home in which a Tidegate runs: this process."""
    found = Home(tmp_path / "home").make()
    found.write_server(Server(os.getpid(), "http://127.0.0.1:8080", None))
    return found.root


@pytest.fixture(autouse=True)
def bare_environment(tmp_path, monkeypatch):
    for name in ("KUBECONFIG", "TIDEGATE_HOME", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))


def test_a_home_that_is_named_is_asked(home, cluster, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster))
    assert Doors(home=home).connection().server == "http://127.0.0.1:8080"


def test_the_homes_token_is_shown_to_it_alone(home, cluster):
    own, other = Doors(home=home).connection(), Doors(kubeconfig=cluster).connection()
    assert Home(home).token() not in repr(other) + repr(own)


def test_a_kubeconfig_that_is_named_is_asked(home, cluster, monkeypatch):
    monkeypatch.setenv("TIDEGATE_HOME", str(home))
    assert Doors(kubeconfig=cluster).connection().server == "https://cluster.test:6443"


def test_a_context_chooses_a_cluster(cluster, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster))
    assert Doors(context="tidegate").connection().server == "https://cluster.test:6443"
    with pytest.raises(NotFound, match="no context named 'other'"):
        Doors(context="other").connection()


def test_without_a_word_a_running_tidegate_comes_before_the_cluster(home, cluster, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster))
    monkeypatch.setenv("HOME", str(home))
    assert Doors().connection().server == "https://cluster.test:6443"
    monkeypatch.setattr("tidegate.cli.doors.default_home", lambda: home)
    assert Doors().connection().server == "http://127.0.0.1:8080"


def test_a_home_that_is_named_and_does_not_run_is_no_reason_to_ask_a_cluster(tmp_path, cluster, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster))
    with pytest.raises(NotFound, match="no tidegate runs"):
        Doors(home=tmp_path / "empty").connection()
    monkeypatch.setenv("TIDEGATE_HOME", str(tmp_path / "empty"))
    with pytest.raises(NotFound, match="no tidegate runs"):
        Doors().connection()


def test_looking_makes_no_home(tmp_path):
    with pytest.raises(NotFound):
        Doors(home=tmp_path / "empty").connection()
    assert not (tmp_path / "empty").exists()


def test_nowhere_at_all_says_what_to_do():
    with pytest.raises(NotFound) as error:
        Doors().connection()
    assert "tidegate up" in error.value.remedy
    assert "--kubeconfig" in error.value.remedy


def test_both_at_once_is_wrong_usage(home, cluster):
    with pytest.raises(click.UsageError):
        Doors(home=home, kubeconfig=cluster).connection()


async def test_a_home_in_which_nothing_answers_says_how_to_start_it(tmp_path):
    found = Home(tmp_path / "home").make()
    found.write_server(Server(os.getpid(), "http://127.0.0.1:1", None))
    async with connect(Doors(home=found.root)) as client:
        with pytest.raises(Exception, match="does not answer") as error:
            await client.get("/version")
    assert "tidegate up" in error.value.explain()


def test_each_command_takes_the_choice(capsys, tmp_path):
    missing = str(tmp_path / "none")
    for command in (["get", "gitrepository"], ["events"], ["status"], ["runs"], ["suspend", "ks", "x"]):
        assert run([*command, "--kubeconfig", missing]) == 1
        assert f"there is no kubeconfig {missing}" in capsys.readouterr().err


def test_json_of_a_kubeconfig_is_read_too(tmp_path):
    path = tmp_path / "kubeconfig.json"
    entry = {"name": "a", "cluster": {"server": "https://json.test"}}
    context = {"name": "a", "context": {"cluster": "a"}}
    path.write_text(json.dumps({"clusters": [entry], "contexts": [context], "current-context": "a"}))
    assert Doors(kubeconfig=path).connection().server == "https://json.test"
