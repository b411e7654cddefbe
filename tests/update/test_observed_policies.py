"""What an automation's status says of the policies that it has looked at, digests included."""

from tidegate.update.selections import observed_policies, selected_reference

DIGEST = f"sha256:{'a' * 64}"


def test_a_choice_with_a_digest_is_taken_apart():
    references = {"apps:web": f"ghcr.io/me/web:1.0@{DIGEST}", "apps:api": "localhost:5000/api:2"}
    assert observed_policies(references, {}, "apps") == {
        "web": {"name": "ghcr.io/me/web", "tag": "1.0", "digest": DIGEST},
        "api": {"name": "localhost:5000/api", "tag": "2"},
    }


def test_those_of_other_namespaces_have_it_in_their_names():
    references = {"apps:web": "a/web:1", "shared:web": "b/web:2"}
    assert observed_policies(references, {}, "apps") == {
        "web": {"name": "a/web", "tag": "1"},
        "shared/web": {"name": "b/web", "tag": "2"},
    }


def test_what_is_gone_is_removed():
    before = {"web": {"name": "ghcr.io/me/web", "tag": "1.0", "digest": DIGEST}, "old": {"name": "x", "tag": "1"}}
    assert observed_policies({"apps:web": "ghcr.io/me/web:1.0"}, before, "apps") == {
        "old": None,
        "web": {"name": "ghcr.io/me/web", "tag": "1.0", "digest": None},
    }


def test_what_a_policy_selected_has_its_digest():
    latest = {"name": "ghcr.io/me/web", "tag": "1.0", "digest": DIGEST}
    assert selected_reference({"status": {"latestRef": latest}}) == f"ghcr.io/me/web:1.0@{DIGEST}"
    assert selected_reference({"status": {"latestImage": "ghcr.io/me/web:1.0"}}) == "ghcr.io/me/web:1.0"
    assert selected_reference({}) is None
