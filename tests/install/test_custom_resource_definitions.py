"""The definitions agree with the models of the kinds, with the vocabulary, and with the guide."""

import contextlib
import json

import pytest
import yaml
from tests.install.schemas import full, paths, schema_of

from tidegate.base.errors import InvalidInput
from tidegate.engine.manual_clock import ManualClock
from tidegate.install.crds import definitions
from tidegate.kinds.alert import Alert
from tidegate.kinds.columns import COLUMNS
from tidegate.kinds.fields import Fields
from tidegate.kinds.git_repository import GitRepository
from tidegate.kinds.image_policy import ImagePolicy
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.image_update_automation import ImageUpdateAutomation
from tidegate.kinds.kustomization import Kustomization
from tidegate.kinds.provider import Provider
from tidegate.kinds.receiver import Receiver
from tidegate.kinds.resources import FLUX, OURS
from tidegate.kinds.runner import Runner
from tidegate.kinds.workflow_run import JobStatus, RunStatus, StepStatus, WorkflowRun
from tidegate.runner.progress import JobProgress, RunProgress

MODELS = [
    GitRepository,
    ImagePolicy,
    ImageRepository,
    ImageUpdateAutomation,
    Kustomization,
    Alert,
    Provider,
    Receiver,
    Runner,
    WorkflowRun,
]
GUIDE_COLUMNS = {
    "ImageRepository": ["Last Scan", "Tags"],
    "ImagePolicy": ["LatestImage"],
    "ImageUpdateAutomation": ["Last Run", "Suspended"],
}


def kind_of(model):
    return model.__name__


def definition_of(kind):
    (found,) = definitions([kind])
    return found


def test_every_kind_is_defined_under_its_names():
    found = {definition["spec"]["names"]["kind"]: definition for definition in definitions()}
    assert list(found) == [resource.kind for resource in (*FLUX, *OURS)]
    for resource in (*FLUX, *OURS):
        definition = found[resource.kind]
        assert definition["metadata"]["name"] == f"{resource.plural}.{resource.group}"
        assert tuple(version["name"] for version in definition["spec"]["versions"]) == resource.versions
        assert tuple(definition["spec"]["names"].get("shortNames", ())) == resource.short_names


@pytest.mark.parametrize("definition", definitions(), ids=lambda found: found["spec"]["names"]["kind"])
def test_one_version_is_stored_and_all_have_one_schema(definition):
    versions = definition["spec"]["versions"]
    assert [version["name"] for version in versions if version["storage"]] == [versions[0]["name"]]
    assert all(version["schema"] == versions[0]["schema"] for version in versions)
    assert all(version["served"] and version["subresources"] == {"status": {}} for version in versions)


@pytest.mark.parametrize(("kind", "headings"), GUIDE_COLUMNS.items())
def test_what_is_shown_by_default_is_what_the_guide_shows(kind, headings):
    for version in definition_of(kind)["spec"]["versions"]:
        columns = version["additionalPrinterColumns"]
        assert [column["name"] for column in columns if not column.get("priority")] == headings, version["name"]


def test_columns_show_fields_of_the_schema():
    for definition in definitions():
        names = definition["spec"]["names"]
        for column in COLUMNS[definition["spec"]["group"], names["kind"]]:
            first, *rest = column.path.strip(".").partition("[")[0].split(".")
            if first != "metadata":
                assert tuple(rest) in paths(schema_of(definition, first)), f"{names['kind']} {column.path}"


@pytest.mark.parametrize("model", MODELS, ids=kind_of)
def test_every_field_that_a_model_reads_is_in_the_schema(model, monkeypatch):
    definition = definition_of(kind_of(model))
    read = read_paths(model, definition, monkeypatch)
    assert read - paths(schema_of(definition, "spec")) == set()
    assert len(read) > 3


@pytest.mark.parametrize("model", MODELS, ids=kind_of)
def test_every_field_of_the_schema_is_known_to_the_model(model, monkeypatch):
    definition = definition_of(kind_of(model))
    unknown = []
    original = Fields.finish

    def finish(fields):
        fields._sweep()
        unknown.extend(fields._unknown)
        return original(fields)

    monkeypatch.setattr(Fields, "finish", finish)
    read_full(model, definition)
    assert unknown == []


def test_every_field_that_a_run_reports_is_in_the_schema():
    known = paths(schema_of(definition_of("WorkflowRun"), "status"))
    step = StepStatus(1, "one", "completed", "success", "then", "later")
    job = JobStatus("one", "completed", "success", "then", "later", (step,))
    status = RunStatus("completed", "success", "then", "later", (job,), {"one": "two"})
    assert written(status.as_json()) - known == set()
    progress = RunProgress(None, ManualClock(), 1)
    progress.jobs["one"] = JobProgress(
        "one", "one", "completed", "success", "then", "later", "why", {1: step.as_json()}
    )
    assert written(progress.as_json()) - known == set()


def test_the_definitions_can_be_written_as_yaml_and_json():
    for definition in definitions():
        assert yaml.safe_load(yaml.safe_dump(definition)) == json.loads(json.dumps(definition))


def read_paths(model, definition, monkeypatch):
    """The fields that `from_object` asks for, of an object that has all of the schema's."""
    asked = set()
    original = Fields.finish

    def note(fields):
        path = tuple(part for part in fields._path[1:] if isinstance(part, str))
        asked.update((*path, name) for name in fields._known)
        for child in fields._children:
            note(child)

    def finish(fields):
        note(fields)
        return original(fields)

    monkeypatch.setattr(Fields, "finish", finish)
    read_full(model, definition)
    return asked


def read_full(model, definition):
    group, version = definition["spec"]["group"], definition["spec"]["versions"][0]["name"]
    obj = {
        "apiVersion": f"{group}/{version}",
        "kind": kind_of(model),
        "metadata": {"name": "one", "namespace": "two"},
        "spec": full(schema_of(definition, "spec")),
    }
    with contextlib.suppress(InvalidInput):  # some fields exclude one another, and are asked for all the same
        model.from_object(obj)


def written(value, path=()):
    """The paths of a JSON value, in the form of `paths`."""
    found = {path} if path else set()
    if isinstance(value, dict):
        names = {"*": next(iter(value.values()))} if path == ("outputs",) and value else value
        for name, inner in names.items():
            found |= written(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            found |= written(inner, path)
    return found
