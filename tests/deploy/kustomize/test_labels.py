"""labels, commonLabels and commonAnnotations: in metadata, templates and selectors."""


def test_common_labels_go_everywhere(build):
    deployment, service = build("resources: [dep.yaml, svc.yaml]\ncommonLabels: {team: red}")
    assert deployment["metadata"]["labels"] == {"team": "red"}
    assert deployment["spec"]["selector"]["matchLabels"] == {"app": "web", "team": "red"}
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"app": "web", "team": "red"}
    assert service["spec"]["selector"] == {"app": "web", "team": "red"}


def test_labels_go_to_metadata_alone(build):
    (found,) = build("resources: [dep.yaml]\nlabels: [{pairs: {team: red}}]")
    assert found["metadata"]["labels"] == {"team": "red"}
    assert found["spec"]["selector"]["matchLabels"] == {"app": "web"}
    assert found["spec"]["template"]["metadata"]["labels"] == {"app": "web"}


def test_labels_go_to_templates_and_selectors_where_that_is_asked(build):
    (found,) = build("resources: [dep.yaml]\nlabels: [{pairs: {team: red}, includeTemplates: true}]")
    assert found["spec"]["template"]["metadata"]["labels"] == {"app": "web", "team": "red"}
    assert found["spec"]["selector"]["matchLabels"] == {"app": "web"}
    (found,) = build("resources: [dep.yaml]\nlabels: [{pairs: {team: red}, includeSelectors: true}]")
    assert found["spec"]["selector"]["matchLabels"] == {"app": "web", "team": "red"}


def test_labels_go_to_fields_of_ones_own(build):
    fields = "[{path: spec/extra/labels, create: true, kind: Widget}]"
    widget, config_map = build(f"resources: [w.yaml, cm.yaml]\nlabels:\n- pairs: {{t: r}}\n  fields: {fields}")
    assert widget["spec"]["extra"] == {"labels": {"t": "r"}}
    assert "spec" not in config_map


def test_annotations_go_to_templates_too(build):
    (found,) = build("resources: [dep.yaml]\ncommonAnnotations: {note: hi}")
    assert found["metadata"]["annotations"] == {"note": "hi"}
    assert found["spec"]["template"]["metadata"]["annotations"] == {"note": "hi"}


def test_a_job_gets_no_selector(build):
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {template: {spec: {}}}\n"
    (found,) = build("resources: [j.yaml]\ncommonLabels: {a: b}", {"app/j.yaml": job})
    assert found["spec"] == {"template": {"spec": {}, "metadata": {"labels": {"a": "b"}}}}


def test_conflicting_field_specs_are_refused(refusal):
    text = "resources: [cm.yaml]\nlabels: [{pairs: {a: b}, fields: [{path: metadata/labels}]}]"
    assert "conflicting fieldspecs for metadata/labels" in refusal(text)
