from tidegate.kinds.reference import parse
from tidegate.oci.auth import Endpoint
from tidegate.oci.credentials import Login
from tidegate.runner.actions.build_push import other_owners, settings

HERE = {"ghcr.io": Endpoint("http://127.0.0.1:8420", Login("home", "home-token"))}


def test_the_stand_in_gets_the_runs_own_token_and_never_a_real_password():
    made = settings({"ghcr.io": Login("me", "real-password")}, HERE, "tgr_x")
    assert made.endpoints["ghcr.io"].login == Login("runner", "tgr_x")
    assert "ghcr.io" not in made.logins


def test_without_a_login_nothing_is_shown_to_the_stand_in():
    assert settings({}, HERE, "tgr_x").endpoints["ghcr.io"].login is None


def test_other_registries_get_what_the_workflow_says():
    made = settings({"quay.io": Login("me", "real-password")}, HERE, "tgr_x")
    assert made.logins == {"quay.io": Login("me", "real-password")}


def test_a_refused_tag_of_another_owner_is_told_by_the_name_that_would_do():
    said = other_owners([parse("ghcr.io/me/shop:1")], HERE, "Acme/web")
    assert (
        said
        == "a run of Acme/web pushes images of its owner only: name it ghcr.io/acme/shop, here and in the manifests"
    )


def test_an_own_tag_and_one_of_another_registry_are_refused_for_other_reasons():
    assert other_owners([parse("ghcr.io/acme/shop:1"), parse("quay.io/me/shop:1")], HERE, "Acme/web") == ""


def test_a_mirror_is_only_for_what_is_pulled_and_never_before_the_own_registry():
    made = settings({}, HERE, "tgr_x", {"docker.io": "https://mirror.example", "ghcr.io": "https://mirror.example"})
    assert made.endpoints.keys() == {"ghcr.io"}
    assert made.sources["docker.io"] == Endpoint("https://mirror.example")
    assert made.sources["ghcr.io"].url == "http://127.0.0.1:8420"
