"""The subresource `why` of an ImagePolicy: what it answers, and who may ask."""

import pytest
from tests.serve.kubernetes.conftest import ADMIN, client_of

from tidegate.base.errors import NotFound

BASE = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system"


@pytest.fixture
def asked():
    return []


@pytest.fixture
def app(make_app, asked):
    async def explain(namespace, name, tags):
        if name != "web":
            raise NotFound(f'imagepolicies "{name}" not found')
        asked.append((namespace, name, list(tags)))
        return {"selected": "1.0.0"}

    return make_app(explain=explain)


async def test_it_answers_for_a_policy_and_for_tags(http, asked):
    answer = await http.get(f"{BASE}/imagepolicies/web/why")
    assert (answer.status_code, answer.json()) == (200, {"selected": "1.0.0"})
    await http.get(f"{BASE}/imagepolicies/web/why?tags=1.0.1,latest")
    assert asked == [("flux-system", "web", []), ("flux-system", "web", ["1.0.1", "latest"])]


async def test_one_that_is_not_there_is_not_found(http):
    assert (await http.get(f"{BASE}/imagepolicies/other/why")).status_code == 404


@pytest.mark.parametrize("path", ["imagerepositories/web/why", "imagepolicies/web/wherefore"])
async def test_nothing_else_has_it(http, path):
    assert (await http.get(f"{BASE}/{path}")).status_code == 404


async def test_it_is_only_read(http):
    assert (await http.put(f"{BASE}/imagepolicies/web/why", json={})).status_code == 405


async def test_asking_needs_a_credential_since_the_registry_is_asked(anonymous, asked):
    answer = await anonymous.get(f"{BASE}/imagepolicies/web/why")
    assert answer.status_code == 401
    assert asked == []


async def test_where_nobody_explains_there_is_no_such_thing(make_app):
    async with client_of(make_app(), ADMIN) as client:
        assert (await client.get(f"{BASE}/imagepolicies/web/why")).status_code == 404
