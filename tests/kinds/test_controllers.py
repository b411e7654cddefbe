"""Choosing what to reconcile, by any name that people use."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.controllers import ALL, controllers_of, kinds_of, resource_of


def test_without_a_choice_all_kinds_are_reconciled():
    assert kinds_of([]) == ALL
    assert controllers_of(ALL) == (
        "source-controller",
        "kustomize-controller",
        "image-reflector-controller",
        "image-automation-controller",
        "notification-controller",
        "runner-controller",
    )


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (["image"], ("ImageRepository", "ImagePolicy", "ImageUpdateAutomation")),
        (["kustomize", "source"], ("GitRepository", "Kustomization")),
        (["GitRepository"], ("GitRepository",)),
        (["gitrepositories"], ("GitRepository",)),
        (["ks"], ("Kustomization",)),
        (["imageupdateautomation"], ("ImageUpdateAutomation",)),
    ],
)
def test_kinds_are_chosen_by_group_kind_plural_or_short_name(words, kinds):
    assert kinds_of(words) == kinds


def test_kinds_of_one_controller_come_together():
    assert kinds_of(["ImagePolicy"]) == ("ImageRepository", "ImagePolicy")
    assert kinds_of(["runner"]) == ("Runner", "WorkflowRun")


def test_an_unknown_word_is_refused_with_the_known_ones():
    with pytest.raises(InvalidInput, match="'helm' is no kind") as caught:
        kinds_of(["helm"])
    assert "source, kustomize, image, notification, runner" in caught.value.remedy


def test_every_kind_has_its_place_in_urls():
    assert resource_of("ImagePolicy").plural == "imagepolicies"
    assert {resource_of(kind).kind for kind in ALL} == set(ALL)
