"""The commit message of an automation."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.objects import Object
from tidegate.update.edit import edit_files
from tidegate.update.message import commit_message

IMAGE = "ghcr.io/acme/web:1.0.2"
FILES = {
    "apps/web.yaml": b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\n"
    b'image: ghcr.io/acme/web:1.0.1 # {"$imagepolicy": "flux-system:web"}\n'
}
EDITED = edit_files(FILES, {"flux-system:web": IMAGE})


def automation(version: str, **commit: object) -> Object:
    return {
        "apiVersion": f"image.toolkit.fluxcd.io/{version}",
        "kind": "ImageUpdateAutomation",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": {"git": {"commit": commit}},
    }


@pytest.mark.parametrize("template", [None, ""])
def test_the_default_message_is_flux_s(template: str | None) -> None:
    assert commit_message(automation("v1"), template, EDITED) == "Update from image update automation"


def test_a_template_sees_what_changed() -> None:
    template = (
        "Update to {{range .Changed.Changes}}{{.NewValue}}{{end}} in "
        "{{range $file, $_ := .Changed.FileChanges}}{{$file}}{{end}}"
    )
    assert commit_message(automation("v1"), template, EDITED) == f"Update to {IMAGE} in apps/web.yaml"


def test_a_template_sees_its_values_and_its_automation() -> None:
    obj = automation("v1", messageTemplateValues={"cluster": "pi"})
    assert commit_message(obj, "{{.Values.cluster}}: {{.AutomationObject}}", EDITED) == "pi: flux-system/apps"


def test_templates_of_older_versions_see_the_images() -> None:
    for version in ("v1beta1", "v1beta2"):
        obj = automation(version)
        assert commit_message(obj, "to {{range .Updated.Images}}{{println .}}{{end}}", EDITED) == f"to {IMAGE}\n"
        assert commit_message(obj, "{{range .Changed.ImageResult.Images}}{{.Identifier}}{{end}}", EDITED) == "1.0.2"
        assert commit_message(obj, "{{range $id, $_ := .Updated.Objects}}{{$id.Kind}}{{end}}", EDITED) == "Deployment"


@pytest.mark.parametrize("field", [".Updated", ".Changed.ImageResult"])
def test_a_dropped_field_is_named_with_what_to_use_instead(field: str) -> None:
    with pytest.raises(InvalidInput, match=f"removed '{field}' field") as caught:
        commit_message(automation("v1"), f"{{{{{field}.Images}}}}", EDITED)
    assert caught.value.code == "RemovedTemplateField"
    assert caught.value.remedy


def test_a_wrong_template_is_told_with_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"commit message:2: .*function 'now' not defined"):
        commit_message(automation("v1"), "a\n{{now}}", EDITED)
