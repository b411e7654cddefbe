"""By which reason a source says why it can't be read, as Flux's tools know them."""

import pytest
from tests.integration.source_world import Remote, SourceWorld, condition

pytestmark = pytest.mark.integration


@pytest.fixture
def remote(tmp_path):
    made = Remote(tmp_path / "remote")
    made.commit({"a": "1"})
    return made


@pytest.fixture
async def world(tmp_path):
    made = SourceWorld(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"ref": {"branch": "nowhere"}}, "GitOperationFailed"),
        ({"ref": {"semver": ">=3"}}, "GitOperationFailed"),
        ({"url": "https://127.0.0.1:1/acme/shop.git", "ref": {"branch": "main"}}, "GitOperationFailed"),
        ({"secretRef": {"name": "none"}}, "AuthenticationFailed"),
        ({"url": "https://127.0.0.1:1/acme/shop.git", "proxySecretRef": {"name": "none"}}, "AuthenticationFailed"),
    ],
)
async def test_what_is_wrong_with_git_and_with_a_secret_has_fluxs_reason(world, remote, spec, reason):
    key = await world.source(spec.pop("url", remote.url), **spec)
    status = await world.reconcile(key)
    assert condition(status, "Ready")[:2] == ("False", reason)
    assert condition(status, "Reconciling")[:2] == ("True", "ProgressingWithRetry")
