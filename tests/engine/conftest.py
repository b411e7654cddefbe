"""Makes the contract suites importable as `tests.contracts`, from wherever pytest was started, and a store to use."""

import sys
from pathlib import Path

import pytest

from tidegate.engine.manual_clock import ManualClock
from tidegate.engine.sqlite_store import SqliteStore

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(tmp_path, clock):
    store = SqliteStore(tmp_path / "store.db", clock)
    yield store
    store.close()
