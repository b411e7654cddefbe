"""Which resource a kind is."""

import pytest
from tests.kube.conftest import Server, ok, status

from tidegate.base.errors import NotFound
from tidegate.kube.discovery import Discovery

IMAGE = "image.toolkit.fluxcd.io"


class Api:
    """Groups with their versions (the preferred one first) and their resources."""

    def __init__(self, **groups):
        self.groups = {name.replace("_", "."): versions for name, versions in groups.items()}
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request.url.path)
        parts = request.url.path.strip("/").split("/")
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2] if len(parts) > 2 else None)
        versions = self.groups.get(group, {})
        if version is None and versions:
            listed = [{"version": name} for name in sorted(versions)]
            return ok({"versions": listed, "preferredVersion": {"version": next(iter(versions))}})
        if version not in versions:
            return status(404, "NotFound")
        return ok({"resources": [line for kind in versions[version] for line in lines(kind)]})


def lines(kind, namespaced=True):
    plural = kind.lower() + "s"
    yield {"name": plural, "kind": kind, "namespaced": kind != "Namespace"}
    yield {"name": f"{plural}/status", "kind": kind, "namespaced": namespaced}
    yield {"name": f"{plural}/scale", "kind": "Scale", "namespaced": namespaced}


async def test_the_preferred_version_counts(client_of):
    api = Api(image_toolkit_fluxcd_io={"v1beta2": ["ImagePolicy"], "v1": ["ImagePolicy"]})
    found = await Discovery(client_of(api)).find(IMAGE, "ImagePolicy")
    assert found.path("web", "one", "status") == f"/apis/{IMAGE}/v1beta2/namespaces/web/imagepolicys/one/status"


async def test_a_version_that_is_named_counts_first(client_of):
    api = Api(image_toolkit_fluxcd_io={"v1": ["ImagePolicy"], "v1beta2": ["ImagePolicy"]})
    found = await Discovery(client_of(api)).find(IMAGE, "ImagePolicy", "v1beta2")
    assert found.collection.version == "v1beta2"


async def test_a_kind_of_an_older_version_alone_is_found_there(client_of):
    api = Api(image_toolkit_fluxcd_io={"v1": ["ImagePolicy"], "v1beta1": ["Old"]})
    assert (await Discovery(client_of(api)).find(IMAGE, "Old")).collection.version == "v1beta1"


async def test_the_core_group_and_scopes(client_of):
    api = Api(**{"": {"v1": ["ConfigMap", "Namespace"]}})
    discovery = Discovery(client_of(api))
    assert (await discovery.find("", "ConfigMap")).path("web", "one") == "/api/v1/namespaces/web/configmaps/one"
    assert (await discovery.find("", "Namespace")).path("web", "one") == "/api/v1/namespaces/one"


async def test_what_is_known_is_not_asked_again(client_of):
    api = Api(image_toolkit_fluxcd_io={"v1": ["ImagePolicy", "ImageRepository"]})
    discovery = Discovery(client_of(api))
    for kind in ("ImagePolicy", "ImageRepository", "ImagePolicy"):
        await discovery.find(IMAGE, kind)
    assert len(api.asked) == 2


async def test_an_unknown_kind_is_looked_for_again_but_not_in_a_storm(clock, client_of):
    api = Api()
    discovery = Discovery(client_of(api))
    for _ in range(10):
        with pytest.raises(NotFound, match="serves no kind ImagePolicy"):
            await discovery.find(IMAGE, "ImagePolicy")
    assert len(api.asked) == 1
    api.groups[IMAGE] = {"v1": ["ImagePolicy"]}
    await clock.advance(1.0)
    assert (await discovery.find(IMAGE, "ImagePolicy")).has_status


async def test_a_group_that_changed_is_asked_at_once(client_of):
    api = Api(image_toolkit_fluxcd_io={"v1": ["ImagePolicy"]})
    discovery = Discovery(client_of(api))
    await discovery.find(IMAGE, "ImagePolicy")
    api.groups[IMAGE] = {"v2": ["ImagePolicy"]}
    discovery.forget(IMAGE)
    assert (await discovery.find(IMAGE, "ImagePolicy")).collection.version == "v2"


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a%2fb", ""])
async def test_no_name_reaches_another_place(client_of, name):
    found = await Discovery(client_of(Api(**{"": {"v1": ["ConfigMap"]}}))).find("", "ConfigMap")
    with pytest.raises(Exception, match="can't be a name"):
        found.path("web", name)


async def test_names_with_odd_characters_are_quoted(client_of):
    found = await Discovery(client_of(Api(**{"": {"v1": ["ConfigMap"]}}))).find("", "ConfigMap")
    assert found.path("web", "a?b#c d") == "/api/v1/namespaces/web/configmaps/a%3Fb%23c%20d"


async def test_a_server_that_is_away_is_no_unknown_kind(client_of):
    with pytest.raises(Exception, match="forbidden"):
        await Discovery(client_of(Server(status(403, "Forbidden", "forbidden")))).find(IMAGE, "ImagePolicy")
