"""`--fix`: the loop is broken, the versions are served, and no other byte changes."""

import pytest
from tests.lint.repositories import FLUX, OBJECTS, WORKFLOW, files, loops, workflow

from tidegate.base.files import MemoryFiles
from tidegate.lint.fixing import fixes

BLOCK = "    paths:\n      - 'apps/myapp/**'   # all of it\n      - \".github/**\"\n"


def fixed(texts):
    """The files after the fix, and their changed lines."""
    changed = {
        path: content.decode()
        for path, content in fixes(MemoryFiles({path: text.encode() for path, text in texts.items()})).items()
    }
    return {**texts, **changed}, changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BLOCK, f"{BLOCK}      - '!apps/myapp/deployment.yaml'\n"),
        ("    paths: ['apps/**']\n", "    paths: ['apps/**', '!apps/myapp/deployment.yaml']\n"),
        ("    paths: [apps/**, src/** ]\n", "    paths: [apps/**, src/**, '!apps/myapp/deployment.yaml' ]\n"),
        ("    paths-ignore: [docs/**] # docs\n", "    paths-ignore: [docs/**, 'apps/myapp/deployment.yaml'] # docs\n"),
        (
            "    paths-ignore:\n    - docs/**\n",
            "    paths-ignore:\n    - docs/**\n    - 'apps/myapp/deployment.yaml'\n",
        ),
    ],
)
def test_a_filter_gets_one_more_pattern(before, after):
    text = workflow(paths=before)
    texts, changed = fixed(files(workflow=text))
    assert changed == {WORKFLOW: text.replace(before, after)}
    assert not loops(texts)


def test_an_event_without_a_filter_of_paths_gets_one():
    text = workflow(paths="")
    texts, changed = fixed(files(workflow=text))
    new = "  push:\n    paths-ignore:\n      - 'apps/myapp/deployment.yaml'\n    branches: [main]\n"
    assert changed == {WORKFLOW: text.replace("  push:\n    branches: [main]\n", new)}
    assert not loops(texts)
    bare = workflow(on="  push:\n")
    texts, changed = fixed(files(workflow=bare))
    assert changed == {
        WORKFLOW: bare.replace("  push:\n", "  push:\n    paths-ignore:\n      - 'apps/myapp/deployment.yaml'\n")
    }
    assert not loops(texts)


def test_what_is_written_in_another_form_is_left_as_it_is():
    text = workflow(on="").replace("on:\n", "on: push\n")
    assert loops(files(workflow=text))
    assert fixed(files(workflow=text))[1] == {}


def test_line_ends_stay_as_they_are():
    text = workflow(paths=BLOCK).replace("\n", "\r\n")
    _, changed = fixed(files(workflow=text))
    assert changed[WORKFLOW] == text.replace(
        '".github/**"\r\n', "\".github/**\"\r\n      - '!apps/myapp/deployment.yaml'\r\n"
    )


def test_characters_that_a_pattern_would_take_for_its_own_are_escaped():
    texts = files(workflow=workflow(paths="    paths: [apps/**]\n"))
    texts["apps/myapp/a[1]'s.yaml"] = texts.pop("apps/myapp/deployment.yaml")
    after, changed = fixed(texts)
    assert "    paths: [apps/**, '!apps/myapp/a\\[1\\]''s.yaml']\n" in changed[WORKFLOW]
    assert not loops(after)


def test_versions_that_flux_has_dropped_are_written_anew_and_nothing_else():
    flux = OBJECTS.replace("image.toolkit.fluxcd.io/v1\n", '"image.toolkit.fluxcd.io/v1beta2" # v1beta2\n').replace(
        "kustomize.toolkit.fluxcd.io/v1\n", "kustomize.toolkit.fluxcd.io/v1beta1\n"
    )
    texts = files(flux=flux, workflow=workflow(paths="    paths: [src/**]\n"))
    wanted = flux.replace('/v1beta2"', '/v1"').replace("/v1beta1\n", "/v1\n")
    assert fixed(texts)[1] == {FLUX: wanted}


def test_nothing_to_fix_changes_no_file():
    assert fixed(files(workflow=workflow(paths="    paths: [src/**]\n")))[1] == {}
