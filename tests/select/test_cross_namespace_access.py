"""An ImagePolicy that refers to an ImageRepository of another namespace, which says who may."""

import pytest
from tests.select.policy_world import PolicyWorld

from tidegate.base.errors import Denied
from tidegate.engine.outcome import Ready, Waiting
from tidegate.kinds.image_repository import ImageRepository
from tidegate.kinds.objects import ObjectKey
from tidegate.select.access import access_refused

REFERENCE = {"name": "web", "namespace": "flux-system"}
RED = {"namespaceSelectors": [{"matchLabels": {"team": "red", "tier": "web"}}, {"matchLabels": {"team": "blue"}}]}


def repository(access_from=None):
    spec = {"image": "ghcr.io/me/web", "interval": "1m"} | ({"accessFrom": access_from} if access_from else {})
    metadata = {"name": "web", "namespace": "flux-system"}
    return ImageRepository.from_object(
        {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageRepository", "metadata": metadata, "spec": spec}
    )


@pytest.mark.parametrize(
    ("access_from", "namespace", "labels", "refused"),
    [
        (None, "flux-system", {}, ""),
        (None, "apps", {"team": "red"},
         "'flux-system/web' can't be accessed due to missing ACL labels on 'accessFrom'"),
        (RED, "apps", {"team": "red", "tier": "web", "more": "x"}, ""),
        (RED, "apps", {"team": "blue"}, ""),
        (RED, "apps", {"team": "red"},
         "'flux-system/web' can't be accessed due to ACL labels mismatch on namespace 'apps'"),
        ({"namespaceSelectors": [{}]}, "apps", {}, ""),
        ({"namespaceSelectors": []}, "apps", {},
         "'flux-system/web' can't be accessed due to ACL labels mismatch on namespace 'apps'"),
    ],
)  # fmt: skip
def test_who_may(access_from, namespace, labels, refused):
    assert (access_refused(repository(access_from), namespace, labels) or "") == refused


@pytest.fixture
async def world(tmp_path):
    found = PolicyWorld(tmp_path)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps", "labels": {"team": "blue"}}}
    await found.store.apply(namespace, manager="test")
    await found.selecting(namespace="apps", reference=REFERENCE)
    yield found
    found.store.close()


async def test_a_namespace_that_is_let_in_selects(world):
    await world.scanned("1.0.0", accessFrom=RED)
    assert isinstance(await world.reconcile(), Ready)


async def test_one_that_is_not_is_denied_until_its_labels_fit(world):
    await world.scanned("1.0.0", accessFrom={"namespaceSelectors": [{"matchLabels": {"team": "red"}}]})
    with pytest.raises(Denied) as caught:
        await world.reconcile()
    assert caught.value.code == "AccessDenied"
    assert str(caught.value) == (
        "failed to get the referred ImageRepository: access denied: "
        "'flux-system/web' can't be accessed due to ACL labels mismatch on namespace 'apps'"
    )
    key = ObjectKey("", "Namespace", "", "apps")
    await world.store.patch(key, {"metadata": {"labels": {"team": "red"}}}, manager="test")
    assert isinstance(await world.reconcile(), Ready)


async def test_labels_and_the_list_itself_wake_those_whom_they_concern(world):
    of_repository, of_namespace = world.controller.triggers
    policies = (await world.store.list("image.toolkit.fluxcd.io", "ImagePolicy")).items
    apps = await world.store.get(ObjectKey("", "Namespace", "", "apps"))
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}
    assert of_namespace.wakes(apps, policies) == [world.policy]
    assert of_namespace.wakes(other, policies) == []
    assert of_namespace.relevant(apps)["team"] == "blue"
    await world.scanned("1.0.0")
    before = await world.store.get(ObjectKey("image.toolkit.fluxcd.io", "ImageRepository", "flux-system", "web"))
    after = {**before, "spec": {**before["spec"], "accessFrom": RED}}
    assert of_repository.relevant(before) != of_repository.relevant(after)
    assert of_repository.wakes(before, policies) == [world.policy]


async def test_a_policy_of_its_own_namespace_asks_nobody(world):
    await world.scanned("1.0.0")
    await world.selecting(namespace="flux-system", reference=REFERENCE)
    assert isinstance(await world.reconcile(), Ready)


async def test_a_repository_that_is_not_there_is_waited_for(world):
    outcome = await world.reconcile()
    assert isinstance(outcome, Waiting)
    assert outcome.on.startswith(
        "failed to get the referred ImageRepository: referenced ImageRepository does not exist: "
    )
    assert outcome.reason == "DependencyNotReady"
