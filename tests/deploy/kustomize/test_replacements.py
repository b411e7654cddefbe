"""replacements: where a value comes from, where it goes, and what becomes of its type."""

import pytest

LEVEL = "source: {kind: ConfigMap, fieldPath: data.level}"
BASE = "resources: [cm.yaml, dep.yaml, svc.yaml, w.yaml]\nreplacements:\n- "


def replaced(build, source, targets, kind, more=None):
    objects = build(f"{BASE}{source}\n  targets: [{targets}]", more)
    return next(one for one in objects if one["kind"] == kind)


def test_a_value_goes_into_a_list_item_found_by_its_name(build):
    targets = "{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.[name=side].image']}"
    found = replaced(build, LEVEL, targets, "Deployment")
    assert found["spec"]["template"]["spec"]["containers"][1]["image"] == "info"


@pytest.mark.parametrize(
    ("path", "count"), [("spec.items.*.name", 2), ("spec.items.0.name", 1), ("spec.items.[n=2].name", 1)]
)
def test_paths_of_lists(build, path, count):
    found = replaced(build, LEVEL, f"{{select: {{kind: Widget}}, fieldPaths: ['{path}']}}", "Widget")
    assert [one["name"] for one in found["spec"]["items"]].count("info") == count


def test_a_part_of_a_value_between_delimiters(build):
    source = "sourceValue: v2"
    targets = (
        "{select: {kind: Deployment}, fieldPaths: ['spec.template.spec.containers.0.image'],"
        " options: {delimiter: ':', index: 1}}"
    )
    found = replaced(build, source, targets, "Deployment")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "ghcr.io/acme/web:v2"


def test_a_source_may_be_a_part_too(build):
    source = (
        "source: {kind: Deployment, fieldPath: spec.template.spec.containers.0.image,"
        " options: {delimiter: ':', index: 1}}"
    )
    assert replaced(build, source, "{select: {kind: ConfigMap}, fieldPaths: [data.level]}", "ConfigMap")["data"] == {
        "level": "1.0.0"
    }


def test_missing_fields_are_made_where_that_is_asked(build, refusal):
    targets = "{select: {kind: ConfigMap}, fieldPaths: ['metadata.annotations.[a.b/c]'], options: {create: true}}"
    assert replaced(build, LEVEL, targets, "ConfigMap")["metadata"]["annotations"] == {"a.b/c": "info"}
    told = refusal(f"{BASE}{LEVEL}\n  targets: [{{select: {{kind: ConfigMap}}, fieldPaths: [data.new]}}]")
    assert "v1 ConfigMap settings has no data.new to replace" in told


def test_a_scalar_keeps_the_type_that_it_had(build, refusal):
    size = "{select: {kind: Widget}, fieldPaths: [spec.size]}"
    assert replaced(build, "sourceValue: '7'", size, "Widget")["spec"]["size"] == 7
    text = "{select: {kind: ConfigMap}, fieldPaths: [data.level]}"
    source = "source: {kind: Widget, fieldPath: spec.size}"
    assert replaced(build, source, text, "ConfigMap")["data"]["level"] == "3"
    assert "cannot take the place of 3" in refusal(f"{BASE}{LEVEL}\n  targets: [{size}]")


def test_a_whole_mapping_is_copied(build):
    source = "source: {kind: Service, fieldPath: spec.selector}"
    targets = "{select: {kind: Deployment}, fieldPaths: [spec.template.spec.nodeSelector], options: {create: true}}"
    assert replaced(build, source, targets, "Deployment")["spec"]["template"]["spec"]["nodeSelector"] == {"app": "web"}


def test_json_inside_a_text_is_reached(build):
    text = 'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {f.json: \'{"a":{"b":"c"},"n":[1,2]}\'}\n'
    (_, found) = build(
        "resources: [cm.yaml, s.yaml]\nreplacements:\n- "
        + LEVEL
        + "\n  targets: [{select: {kind: Secret}, fieldPaths: ['stringData.f\\.json.a.b']}]",
        {"app/s.yaml": text},
    )
    assert found["stringData"]["f.json"] == '{"a":{"b":"info"},"n":[1,2]}'


def test_objects_can_be_left_out(build):
    targets = (
        "{select: {name: '.*', kind: 'Widget|ConfigMap'}, reject: [{kind: ConfigMap}], fieldPaths: [metadata.name]}"
    )
    objects = build(f"{BASE}sourceValue: new\n  targets: [{targets}]")
    assert [one["metadata"]["name"] for one in objects] == ["settings", "web", "web", "new"]


def test_replacements_may_lie_in_a_file(build):
    text = "source: {kind: ConfigMap, fieldPath: data.level}\ntargets:\n- select: {kind: Widget}\n"
    more = {"app/r.yaml": f"{text}  fieldPaths: [metadata.name]\n"}
    objects = build("resources: [cm.yaml, w.yaml]\nreplacements: [{path: r.yaml}]", more)
    assert objects[1]["metadata"]["name"] == "info"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sourceValue: x", "needs a source and targets"),
        (f"{LEVEL}\n  sourceValue: x\n  targets: []", "either a source or a sourceValue"),
        ("source: {kind: Pod}\n  targets: []", "nothing is selected"),
        ("source: {name: web}\n  targets: []", "several objects are selected"),
        ("source: {kind: ConfigMap, fieldPath: data.none}\n  targets: []", "has no data.none to copy"),
        (f"{LEVEL}\n  targets: [{{fieldPaths: [a]}}]", "needs select"),
        (
            "source: {kind: ConfigMap, fieldPath: data.level, options: {delimiter: x, index: 9}}\n  targets: []",
            "has no part 9",
        ),
        (f"{LEVEL}\n  path: r.yaml\n  targets: [{{select: {{}}}}]", "either a path or a source"),
        (f"{LEVEL}\n  targets: [{{select: {{kind: Widget}}, fieldPaths: [spec.items.9]}}]", "the list has 2 items"),
    ],
)
def test_faults_are_told(refusal, text, told):
    assert told in refusal(f"{BASE}{text}")


def test_a_source_that_an_earlier_target_changed_is_copied_as_it_is_now(build):
    kustomization = """\
resources: [cm.yaml, svc.yaml]
replacements:
- source: {kind: ConfigMap, fieldPath: data.level}
  targets:
  - {select: {kind: ConfigMap}, fieldPaths: [data.level], options: {delimiter: ".", index: 1}}
  - {select: {kind: Service}, fieldPaths: [spec.clusterIP], options: {create: true}}
"""
    config_map, service = build(kustomization)
    assert config_map["data"]["level"] == service["spec"]["clusterIP"] == "info.info"
