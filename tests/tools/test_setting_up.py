"""What `make` sets up with: which pip is taken where there is none, and what pip and uv are told of the network."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tidegate.build import index_settings

SOURCE = Path(__file__).parents[2] / "tools/bootstrap.py"
SPEC = importlib.util.spec_from_file_location("bootstrap", SOURCE)
bootstrap = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bootstrap)


def listed(*names, **fields):
    return [{"filename": name, "yanked": False} | fields for name in names]


def test_the_newest_pip_is_the_highest_version_not_the_last_name():
    files = listed("pip-10.0.1-py3-none-any.whl", "pip-26.1-py3-none-any.whl", "pip-9.0.3-py3-none-any.whl")
    assert bootstrap.newest_pip(files, (3, 11))["filename"] == "pip-26.1-py3-none-any.whl"


@pytest.mark.parametrize(
    "other",
    [
        {"filename": "pip-27.0b1-py3-none-any.whl"},
        {"filename": "pip-27.0.tar.gz"},
        {"filename": "pip-27.0-py3-none-any.whl", "yanked": "broken"},
        {"filename": "pip-27.0-py3-none-any.whl", "requires-python": ">=3.12"},
    ],
)
def test_no_pip_is_taken_that_can_not_be_used(other):
    files = [*listed("pip-26.1-py3-none-any.whl", **{"requires-python": ">=3.10"}), other]
    assert bootstrap.newest_pip(files, (3, 11))["filename"] == "pip-26.1-py3-none-any.whl"
    assert bootstrap.newest_pip([other], (3, 11)) is None


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_one_setting_of_a_certificate_authority_is_enough_for_pip_and_uv(name, monkeypatch):
    for other in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "/ca.pem")
    monkeypatch.setattr(index_settings, "pip_files", lambda _environment: [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    _, ca_file = bootstrap.host_network()
    told = bootstrap.tools_environment({name: "/ca.pem", "A": "b"}, ca_file)
    assert (told["SSL_CERT_FILE"], told["PIP_CERT"], told["A"]) == ("/ca.pem", "/ca.pem", "b")


def test_without_a_setting_uv_trusts_the_systems_authorities():
    assert bootstrap.tools_environment({}, None)["UV_SYSTEM_CERTS"] == "1"


def test_pip_s_own_variable_stays_where_another_is_set_too():
    told = bootstrap.tools_environment({"SSL_CERT_FILE": "/a.pem", "PIP_CERT": "/b.pem"}, "/a.pem")
    assert (told["SSL_CERT_FILE"], told["PIP_CERT"]) == ("/a.pem", "/b.pem")
