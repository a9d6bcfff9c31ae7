"""What several runtimes of one process load once: a session on a GPU, an engine, weights on a device.

Device memory is scarce, and what fills it is mostly weights. Who opens an artifact again on the same device gets what
is there already; the last one to close it frees it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

Loaded = TypeVar("Loaded")


class Lease(Generic[Loaded]):
    """A share in something that was loaded.

    Args:
        value: What was loaded.
        give_back: Called once, by the first :meth:`release`.
    """

    def __init__(self, value: Loaded, give_back: Callable[[], None]) -> None:
        # One that is emptied, not two: no moment has the one without the other, and threads need no lock.
        self._held: list[tuple[Loaded, Callable[[], None]]] = [(value, give_back)]

    @property
    def value(self) -> Loaded:
        """What was loaded; only until the share is given back, since whoever keeps a lease must not keep the memory."""
        return self._held[0][0]

    def release(self) -> None:
        """Give the share back; doing it again does nothing. The last of all shares frees what was loaded."""
        try:
            # Nothing of the pair is kept in a name: the last reference must be that of the loads.
            give_back = self._held.pop()[1]
        except IndexError:  # another call, of another thread maybe, was first
            return
        give_back()


class SharedLoads(Generic[Loaded]):
    """What is loaded now, by what it was loaded from; safe to use from several threads.

    Args:
        free: Frees something whose last share was given back; by default it is merely forgotten.
    """

    def __init__(self, free: Callable[[Loaded], None] | None = None) -> None:
        self._free = free
        self._entries: dict[Hashable, _Entry] = {}
        self._lock = threading.Lock()

    def acquire(self, key: Hashable, load: Callable[[], Loaded]) -> Lease[Loaded]:
        """Return a share in what ``key`` stands for, loaded by the first to ask; others wait for it.

        Args:
            key: Everything that makes two loads the same.
            load: Loads it. What it raises is raised here, and the next one to ask tries again.
        """
        while True:
            with self._lock:
                entry = self._entries.setdefault(key, _Entry())
            with entry.lock:
                if entry.gone:  # its last share was given back, or its load failed, while this thread waited
                    continue
                if entry.shares == 0:
                    try:
                        entry.value = load()
                    except BaseException:
                        self._forget(key, entry)
                        raise
                entry.shares += 1
                return Lease(entry.value, partial(self._give_back, key, entry))

    def _give_back(self, key: Hashable, entry: _Entry) -> None:
        with entry.lock:
            entry.shares -= 1
            if entry.shares:
                return
            value, entry.value = entry.value, None
            try:
                if self._free is not None:
                    self._free(value)
            finally:
                # Last, so that whoever asks meanwhile waits: there is no place for two of them.
                del value
                self._forget(key, entry)

    def _forget(self, key: Hashable, entry: _Entry) -> None:
        entry.gone = True
        with self._lock:
            if self._entries.get(key) is entry:
                del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)


class _Entry:
    """One thing that is loaded, or about to be."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: Any = None
        self.shares = 0
        self.gone = False
