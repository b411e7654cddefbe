"""ConfigMaps and Secrets from literals, files and env files; the hashes are those that kustomize printed."""

import base64

import pytest


def test_a_config_map_of_every_source(build):
    more = {
        "app/a.txt": "hello\n",
        "app/b.bin": b"\xff\x00",
        "app/x.env": '\ufeff# c\nA=1\n  B=two words\nC\n\nD="q"\n',
    }
    text = (
        "configMapGenerator:\n- name: g\n  literals: [k=v, 'q=\"x=y\"']\n"
        "  files: [a.txt, renamed=b.bin]\n  envs: [x.env]\n"
    )
    (found,) = build(text + "  options: {disableNameSuffixHash: true, immutable: true, labels: {l: m}}", more)
    assert found == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "g", "labels": {"l": "m"}},
        "data": {"A": "1", "B": "two words", "C": "", "D": '"q"', "a.txt": "hello\n", "k": "v", "q": "x=y"},
        "binaryData": {"renamed": base64.b64encode(b"\xff\x00").decode()},
        "immutable": True,
    }


def test_a_secret_is_base64_and_its_name_has_the_contents_hash(build):
    (found,) = build("secretGenerator: [{name: job-secret, literals: [k=v]}]")
    assert found["data"] == {"k": "dg=="}
    assert (found["type"], found["metadata"]["name"]) == ("Opaque", "job-secret-ftgtgc4t9f")


def test_the_hash_changes_with_the_content_alone(build):
    def name(text):
        return build(f"configMapGenerator: [{text}]")[0]["metadata"]["name"].rpartition("-")[2]

    assert name("{name: a, literals: [k=v]}") == name("{name: b, literals: [k=v]}")
    assert name("{name: a, literals: [k=v]}") != name("{name: a, literals: [k=w]}")


def test_an_empty_secret(build):
    (found,) = build("secretGenerator: [{name: creds}]")
    assert (found["data"], found["metadata"]["name"]) == ({}, "creds-46f8b28mk5")


def test_long_base64_is_in_lines_of_seventy(build):
    (found,) = build("secretGenerator: [{name: s, files: [long]}]", {"app/long": "x" * 60})
    assert found["data"]["long"] == "eHh4" * 17 + "eH\nh4" + "eHh4" * 2 + "\n"


def test_references_follow_the_hash_through_a_prefix(build):
    text = "resources: [dep.yaml]\nnamePrefix: p-\nconfigMapGenerator: [{name: settings, literals: [level=debug]}]"
    deployment, config_map = build(text)
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert config_map["metadata"]["name"].startswith("p-settings-")
    assert env[0]["valueFrom"]["configMapKeyRef"]["name"] == config_map["metadata"]["name"]


BASE = {
    "base/kustomization.yaml": "configMapGenerator: [{name: c, literals: [a=1, b=2], options: {labels: {l: m}}}]",
}


def test_an_overlay_merges_into_what_a_base_generated(build):
    (found,) = build(
        "resources: [../base]\nconfigMapGenerator: [{name: c, behavior: merge, literals: [b=3, c=4]}]", BASE
    )
    assert found["data"] == {"a": "1", "b": "3", "c": "4"}
    assert found["metadata"]["labels"] == {"l": "m"}


def test_an_overlay_replaces_what_a_base_generated(build):
    (found,) = build("resources: [../base]\nconfigMapGenerator: [{name: c, behavior: replace, literals: [z=1]}]", BASE)
    assert found["data"] == {"z": "1"}


@pytest.mark.parametrize(
    ("generator", "told"),
    [
        ("{name: new, behavior: merge}", "there is no v1 ConfigMap new to merge"),
        ("{name: c}", "exists already"),
        ("{literals: [a=b]}", "needs a name"),
        ("{name: gen, literals: [a]}", "is not KEY=VALUE"),
        ("{name: gen, literals: ['=b']}", "is not KEY=VALUE"),
        ("{name: gen, literals: [a=1, a=2]}", "has the key 'a' twice"),
        ("{name: gen, files: ['a=b=cm.yaml']}", "is neither PATH nor KEY=PATH"),
        ("{name: gen, files: ['=cm.yaml']}", "is neither PATH nor KEY=PATH"),
        ("{name: gen, files: [missing]}", "there is no file missing"),
        ("{name: gen, files: [../base/kustomization.yaml]}", "is not in or below the folder"),
        ("{name: gen, envs: [bad.env]}", "line 1 of an env file is not UTF-8"),
    ],
)
def test_faults_are_told(refusal, generator, told):
    more = BASE | {"app/bad.env": b"\xff"}
    assert told in refusal(f"resources: [../base]\nconfigMapGenerator: [{generator}]", more)


@pytest.mark.parametrize("literal", ["hunter2", "=hunter2"])
def test_a_secret_that_lost_its_key_is_not_told(refusal, literal):
    assert "hunter2" not in refusal(f"secretGenerator: [{{name: gen, literals: ['{literal}']}}]", {})


def test_generator_options_are_for_all_and_yield_to_ones_own(build):
    text = (
        "generatorOptions: {disableNameSuffixHash: true, labels: {a: all, b: all}}\n"
        "configMapGenerator: [{name: x, literals: [k=v], options: {labels: {b: own}}}]"
    )
    (found,) = build(text)
    assert found["metadata"] == {"name": "x", "labels": {"a": "all", "b": "own"}}
