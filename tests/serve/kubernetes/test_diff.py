"""The subresource `diff` of an ImageUpdateAutomation: what it answers, and who may ask."""

import pytest

BASE = "/apis/image.toolkit.fluxcd.io/v1/namespaces/flux-system"


@pytest.fixture
def asked():
    return []


@pytest.fixture
def app(make_app, asked):
    async def preview(namespace, name):
        asked.append((namespace, name))
        return {"diff": "", "notes": []}

    return make_app(preview=preview)


async def test_it_answers_for_an_automation_and_is_only_read(http, asked):
    answer = await http.get(f"{BASE}/imageupdateautomations/auto/diff")
    assert (answer.status_code, answer.json()) == (200, {"diff": "", "notes": []})
    assert asked == [("flux-system", "auto")]
    assert (await http.put(f"{BASE}/imageupdateautomations/auto/diff", json={})).status_code == 405


async def test_nothing_else_has_it(http):
    assert (await http.get(f"{BASE}/imagepolicies/web/diff")).status_code == 404


async def test_asking_needs_a_credential_since_the_git_host_is_asked(anonymous, asked):
    assert (await anonymous.get(f"{BASE}/imageupdateautomations/auto/diff")).status_code == 401
    assert asked == []
