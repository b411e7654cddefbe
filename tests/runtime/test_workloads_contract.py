"""LocalWorkloads keeps the Workloads port's contract."""

import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)

from tests.contracts.workloads import WorkloadsContract  # noqa: E402 - the path comes first

from tidegate.engine.manual_clock import ManualClock  # noqa: E402
from tidegate.engine.sqlite_store import SqliteStore  # noqa: E402
from tidegate.runtime.local import LocalWorkloads  # noqa: E402


class TestLocalWorkloads(WorkloadsContract):
    @pytest.fixture
    def others(self, tmp_path):
        store = SqliteStore(tmp_path / "store.db", ManualClock())
        yield store
        store.close()

    @pytest.fixture
    def workloads(self, others):
        return LocalWorkloads(others)
