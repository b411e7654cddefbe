from tidegate.kinds.kept_fields import KEEP, keeping, without_kept

LIVE = {
    "metadata": {"name": "flux-system", "annotations": {KEEP: "url+secretRef, ref"}},
    "spec": {"url": "https://a", "ref": {"branch": "main"}},
}


def test_what_the_live_object_keeps_is_left_out_and_named_where_git_has_it_otherwise():
    spec = {"url": "ssh://b", "secretRef": {"name": "key"}, "interval": "1m", "ref": {"branch": "main"}}
    wanted = {"metadata": {}, "spec": spec}
    assert without_kept(wanted, LIVE) == (
        {"metadata": {}, "spec": {"interval": "1m"}},
        ["spec.url", "spec.secretRef"],
    )


def test_what_git_has_alike_is_nothing_to_tell():
    spec = {"url": "https://a.git", "ref": {"branch": "main"}}
    assert without_kept({"metadata": {}, "spec": spec}, LIVE) == ({"metadata": {}, "spec": {}}, [])


def test_a_credential_for_the_very_url_comes_from_git_and_one_for_another_does_not():
    spec = {"url": "https://a", "ref": {"branch": "main"}, "secretRef": {"name": "key"}}
    assert without_kept({"metadata": {}, "spec": spec}, LIVE)[0]["spec"] == {"secretRef": {"name": "key"}}
    assert without_kept({"metadata": {}, "spec": spec | {"url": "ssh://b"}}, LIVE)[0]["spec"] == {}


def test_a_branch_is_kept_whatever_the_url():
    spec = {"url": "https://a", "ref": {"branch": "topic"}}
    assert without_kept({"metadata": {}, "spec": spec}, LIVE) == ({"metadata": {}, "spec": {}}, ["spec.ref"])


def test_an_object_without_the_mark_is_applied_as_git_has_it():
    wanted = {"metadata": {}, "spec": {"url": "ssh://b"}}
    assert without_kept(wanted, {"metadata": {}, "spec": {"url": "https://a"}}) == (wanted, [])


def test_the_mark_leaves_other_annotations():
    found = keeping({"metadata": {"annotations": {"a": "b"}}}, ("url", "ref"))
    assert found["metadata"]["annotations"] == {"a": "b", KEEP: "url,ref"}
