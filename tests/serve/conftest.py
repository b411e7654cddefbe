"""What the tests of the registry's door share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serve.registry_door import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "registry")
    yield made
    made.door.close()
