"""Resources, bases and components: what is read, in which order, and what is refused."""

import pytest

from tidegate.base.errors import LimitExceeded
from tidegate.base.files import FolderFiles, MemoryFiles
from tidegate.deploy.kustomize import resource
from tidegate.deploy.render import Wish, render

HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
CM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"


def names(objects):
    return [(one["kind"], one["metadata"]["name"]) for one in objects]


def test_the_order_is_that_of_the_resources(build):
    found = build("resources: [svc.yaml, dep.yaml, ns.yaml, cm.yaml]")
    assert [kind for kind, _ in names(found)] == ["Service", "Deployment", "Namespace", "ConfigMap"]


def test_the_legacy_order_is_by_kind(build):
    found = build("resources: [svc.yaml, dep.yaml, ns.yaml, cm.yaml, w.yaml]\nsortOptions: {order: legacy}")
    assert [kind for kind, _ in names(found)] == ["Namespace", "ConfigMap", "Service", "Deployment", "Widget"]


def test_an_order_of_ones_own(build):
    options = "sortOptions: {order: legacy, legacySortOptions: {orderFirst: [Service], orderLast: [Namespace]}}"
    found = build(f"resources: [ns.yaml, cm.yaml, svc.yaml]\n{options}")
    assert [kind for kind, _ in names(found)] == ["Service", "ConfigMap", "Namespace"]


def test_bases_are_built_before_their_overlay_works_on_them(build):
    base = {"base/kustomization.yaml": f"{HEAD}namePrefix: b-\nresources: [cm.yaml]", "base/cm.yaml": CM.format("x")}
    assert names(build("bases: [../base]\nnamePrefix: o-", base)) == [("ConfigMap", "o-b-x")]


def test_a_component_works_on_what_its_user_has_gathered(build):
    component = {
        "comp/kustomization.yaml": f"{COMPONENT}namePrefix: c-\nresources: [extra.yaml]",
        "comp/extra.yaml": CM.format("extra"),
    }
    found = build("resources: [cm.yaml]\ncomponents: [../comp]", component)
    assert names(found) == [("ConfigMap", "c-settings"), ("ConfigMap", "c-extra")]


def test_components_and_bases_are_not_taken_for_each_other(refusal):
    files = {"comp/kustomization.yaml": f"{COMPONENT}resources: []", "base/kustomization.yaml": f"{HEAD}resources: []"}
    assert "is a Component" in refusal("resources: [../comp]", files)
    assert "is no Component" in refusal("components: [../base]", files)


def test_lists_are_taken_apart(build):
    text = "kind: List\nitems:\n- {kind: A, metadata: {name: a}}\n- {kind: B, metadata: {name: b}}\n"
    assert names(build("resources: [l.yaml]", {"app/l.yaml": text})) == [("A", "a"), ("B", "b")]
    mixed = f"{text}---\nkind: C\nmetadata: {{name: c}}\n"
    assert names(build("resources: [l.yaml]", {"app/l.yaml": mixed})) == [("C", "c"), ("A", "a"), ("B", "b")]


def test_json_is_read_too(build):
    text = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"j"}}'
    assert names(build("resources: [x.json]", {"app/x.json": text})) == [("ConfigMap", "j")]


def test_local_configuration_is_not_part_of_the_result(build):
    text = "kind: A\nmetadata: {name: a, annotations: {config.kubernetes.io/local-config: 'true'}}\n"
    assert names(build("resources: [a.yaml, cm.yaml]", {"app/a.yaml": text})) == [("ConfigMap", "settings")]


def test_annotations_are_text_and_other_dates_become_rfc_3339(build):
    text = "kind: A\nmetadata: {name: a, annotations: {d: 2024-01-01, n: 1.0, y: yes}}\nspec: {d: 2024-01-01, y: yes}\n"
    (found,) = build("resources: [a.yaml]", {"app/a.yaml": text})
    assert found["metadata"]["annotations"] == {"d": "2024-01-01", "n": "1.0", "y": "yes"}
    assert found["spec"] == {"d": "2024-01-01T00:00:00Z", "y": "yes"}


def test_empty_annotations_go(build):
    (found,) = build("resources: [a.yaml]", {"app/a.yaml": "kind: A\nmetadata: {name: a, annotations: {}, labels: {}}"})
    assert found["metadata"] == {"name": "a", "labels": {}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("metadata: {name: a}", "app/x.yaml:1:1 (kind): a manifest needs a kind"),
        ("ok: 1\n---\nkind: A\n", "a manifest needs a kind"),
        ("kind: A\nmetadata: {}", "app/x.yaml:2:11 (metadata.name): a manifest needs a name"),
        ("- a", "a manifest must be a mapping"),
        ("kind: A\nmetadata: {name: a, annotations: {x: [1]}}", "must be text"),
        ("kind: A\nmetadata: {name: a}\ndata: {k: 1, k: 2}", "the key 'k' is given twice"),
        ("kind: A\n  x: 1", "app/x.yaml:2"),
    ],
)
def test_what_is_no_manifest_is_told_with_its_line(refusal, text, told):
    assert told in refusal("resources: [x.yaml]", {"app/x.yaml": text})


def test_one_object_twice_is_refused_with_both_files(refusal):
    told = refusal("resources: [cm.yaml, again.yaml]", {"app/again.yaml": CM.format("settings")})
    assert told == "app/again.yaml: v1 ConfigMap settings is given twice (app/cm.yaml and app/again.yaml)"


def test_the_default_namespace_is_the_same_as_none(refusal):
    again = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: default}\n"
    assert "is given twice" in refusal("resources: [cm.yaml, a.yaml]", {"app/a.yaml": again})


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        ("missing.yaml", "app/kustomization.yaml:1:13 (resources[0]): there is no file or folder missing.yaml"),
        ("../app", "leads back to app: a cycle"),
        ("..", "leads back to app: a cycle"),
        ("../../x", "leads out of the tree"),
        ("/etc", "leads out of the tree"),
        ("https://example.test/x.yaml", "is a remote resource"),
        ("github.com/acme/web?ref=v1", "is a remote resource"),
        ("git@example.test:acme/web.git", "is a remote resource"),
        ("''", "leads out of the tree"),
    ],
)
def test_resources_that_cannot_be_had_are_refused(refusal, resource, told):
    assert told in refusal(f"resources: [{resource}]")


def test_bases_that_refer_to_each_other_are_a_cycle(refusal):
    files = {
        "a/kustomization.yaml": "resources: [../b]",
        "b/kustomization.yaml": "resources: [../a]",
    }
    assert "a cycle" in refusal("resources: [../a]", files)


def test_files_must_lie_in_or_below_their_kustomization(refusal, build):
    files = {"shared/cm.yaml": CM.format("shared")}
    assert "is not in or below the folder" in refusal("resources: [../shared/cm.yaml]", files)
    assert names(build("resources: [../shared/cm.yaml]", files, restricted=False)) == [("ConfigMap", "shared")]


def test_several_kustomization_files_are_refused(refusal):
    assert "several kustomization files" in refusal("resources: []", {"app/Kustomization": "resources: []"})


def test_a_folder_without_a_kustomization_file_is_refused_by_kustomize(refusal):
    assert "there is no kustomization.yaml in app" in refusal(None)
    assert "there is no folder 'nowhere'" in refusal(None, path="nowhere")


def test_a_plain_folder_is_all_its_manifests_to_flux():
    files = {
        "kustomization.yaml": b"resources: [nowhere]",
        "apps/b.yaml": CM.format("b").encode(),
        "apps/a/z.yml": CM.format("z").encode(),
        "apps/a/notes.txt": b"no manifest",
        "apps/sub/kustomization.yaml": b"namePrefix: p-\nresources: [x.yaml]",
        "apps/sub/x.yaml": CM.format("x").encode(),
        "apps/sub/unused.yaml": CM.format("unused").encode(),
        "apps/.github/workflows/ci.yaml": b"on: push",
        "other/c.yaml": CM.format("c").encode(),
    }
    found = render(MemoryFiles(files), Wish("apps"))
    assert names(found) == [("ConfigMap", "z"), ("ConfigMap", "b"), ("ConfigMap", "p-x")]


def test_rendering_is_pure(tmp_path):
    (tmp_path / "cm.yaml").write_text(CM.format("a"))
    (tmp_path / "kustomization.yaml").write_text("namePrefix: p-\nresources: [cm.yaml]\n")
    first, second = (render(FolderFiles(tmp_path), Wish("")) for _ in range(2))
    assert first == second == [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p-a"}}]


def test_ten_thousand_objects_are_built(build):
    text = "---\n".join(f"kind: A\nmetadata: {{name: n{number}}}\n" for number in range(10_000))
    assert len(build("namePrefix: p-\nresources: [many.yaml]", {"app/many.yaml": text})) == 10_000


def test_bases_of_bases_that_multiply_are_refused(monkeypatch):
    monkeypatch.setattr(resource, "RESOURCES_LIMIT", 100)
    tree = {"l0/cm.yaml": CM.format("x").encode(), "l0/kustomization.yaml": b"resources: [cm.yaml]"}
    for level in range(1, 30):
        for side in "ab":
            below = f"../l{level - 1}" if level == 1 else f"../l{level - 1}-a, ../l{level - 1}-b"
            tree[f"l{level}-{side}/kustomization.yaml"] = f"namePrefix: {side}-\nresources: [{below}]".encode()
    with pytest.raises(LimitExceeded, match="100 objects"):
        render(MemoryFiles(tree), Wish("l29-a"))


@pytest.mark.parametrize("rest", [" {a: b}", "-", " !!map", " &a", "foo", " |"])
def test_only_a_comment_may_follow_a_separator(refusal, rest):
    text = f"{CM.format('a')}---{rest}\n{CM.format('b')}"
    told = refusal("resources: [x.yaml]", {"app/x.yaml": text})
    assert told == "app/x.yaml:4: only a comment may follow --- on its line"


@pytest.mark.parametrize("rest", ["", " ", " # then", "# then", "\t#", "\r"])
def test_a_separator_may_be_followed_by_a_comment(build, rest):
    found = build("resources: [x.yaml]", {"app/x.yaml": f"{CM.format('a')}---{rest}\n{CM.format('b')}"})
    assert names(found) == [("ConfigMap", "a"), ("ConfigMap", "b")]


@pytest.mark.parametrize("name", ["config.kubernetes.io/index", "internal.config.kubernetes.io/previousNames"])
def test_what_kustomize_notes_down_while_it_builds_is_not_part_of_the_result(build, name):
    text = CM.format(f"a, annotations: {{{name}: '1'}}")
    assert build("resources: [x.yaml]", {"app/x.yaml": text})[0]["metadata"] == {"name": "a"}


def test_sort_options_must_name_an_order_even_where_they_are_empty(refusal):
    assert "must be fifo or legacy" in refusal("resources: [cm.yaml]\nsortOptions: {}")
