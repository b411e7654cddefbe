"""The SQLite store keeps the Store port's contract."""

from tests.contracts.store import StoreContract


class TestSqliteStore(StoreContract):
    """With the `store` of conftest.py."""
