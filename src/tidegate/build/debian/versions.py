"""Debian's version order, behind the one place that imports python-debian's reading of it (policy 5.6.12)."""

from __future__ import annotations

from functools import lru_cache

from debian.debian_support import NativeVersion

_ORDERS = {"<<": (-1,), "<=": (-1, 0), "=": (0,), ">=": (0, 1), ">>": (1,)}


@lru_cache(maxsize=4096)
def compare(first: str, second: str) -> int:
    """-1, 0 or 1 as `first` is older than, the same as, or newer than `second`."""
    left, right = NativeVersion(first), NativeVersion(second)
    return (left > right) - (left < right)


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Whether `version` stands in that relation to `wanted`; the operators are those of Depends."""
    return compare(version, wanted) in _ORDERS[operator]
