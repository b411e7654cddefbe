"""The kubeconfig that `tidegate kubeconfig` prints."""

import base64

import yaml

from tidegate.serve.kubeconfig import kubeconfig


def test_over_https_it_holds_the_ca_and_the_token():
    config = yaml.safe_load(kubeconfig("https://127.0.0.1:8443", "the-token", ca=b"PEM"))
    assert config["current-context"] == "tidegate"
    assert config["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:8443",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
    }
    assert config["users"][0]["user"] == {"token": "the-token"}
    assert config["contexts"][0]["context"] == {"cluster": "tidegate", "user": "tidegate"}


def test_over_http_it_says_what_it_can_t_do_and_holds_no_token():
    text = kubeconfig("http://127.0.0.1:8080", "the-token")
    assert "the-token" not in text
    assert text.startswith("# kubectl sends no credential over plain http")
    assert yaml.safe_load(text)["users"][0]["user"] == {}


def test_a_namespace_for_commands_that_name_none():
    config = yaml.safe_load(kubeconfig("https://127.0.0.1:8443", "t", namespace="flux-system"))
    assert config["contexts"][0]["context"]["namespace"] == "flux-system"
