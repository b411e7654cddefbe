"""Clusters for the integration tests (cluster_world.py says how to use them), and the cache for building images."""

import os
from pathlib import Path

import pytest
from tests.integration.cluster_world import started

from tidegate.install.crds import definitions


@pytest.fixture(scope="session")
def image_cache(tmp_path_factory):
    """Packages, wheels and layers, fetched once a run; TIDEGATE_TEST_CACHE names a folder to keep them between runs."""
    kept = os.environ.get("TIDEGATE_TEST_CACHE")
    return Path(kept).absolute() if kept else tmp_path_factory.mktemp("image-cache")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """One cluster for all tests that leave it as it is. A test takes a namespace or a name of its own."""
    yield from started(tmp_path_factory.mktemp("cluster"), definitions=definitions())


@pytest.fixture
def fresh_cluster(tmp_path):
    """A cluster of this test's own, which it may kill, stop and start again."""
    yield from started(tmp_path, definitions=definitions())


@pytest.fixture
def bare_cluster(tmp_path):
    """A cluster of this test's own that knows only Kubernetes' own kinds."""
    yield from started(tmp_path)


@pytest.fixture
def audited_cluster(tmp_path):
    """A bare cluster of this test's own that notes who writes what."""
    yield from started(tmp_path, audited=True)
