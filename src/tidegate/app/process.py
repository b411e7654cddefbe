"""What every long-lived process of ours sets up for itself."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import signal

_M_ARENA_MAX = -8
_M_MMAP_THRESHOLD = -3
_LARGE = 512 * 1024
"""Bytes from which a buffer has pages of its own, which go back when it is freed: larger than the pieces in which blobs
are read. Left alone, glibc raises this with each such buffer.
"""


def bound_memory() -> None:
    """One malloc arena instead of one for each thread, since the threads here wait more than they work; and a list of
    100 000 tags is given back when it is done with.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # a C library that is not glibc has no arenas
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def keep_what_is_there() -> None:
    """Call this once all is set up: what is there stays, and a full collection that walks all of it would hold up the
    event loop.
    """
    gc.collect()
    gc.freeze()


def stop_signals() -> asyncio.Event:
    """Set once SIGINT or SIGTERM arrives."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped
