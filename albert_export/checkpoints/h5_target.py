"""A file that the HDF5 library can write to without ever meeting an error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO


@contextmanager
def errors_kept_from_library(file: IO[bytes]) -> Iterator[H5Target]:
    """Yield what h5py can write to in place of ``file``, which is open for writing and reading.

    When a write fails, as on a full disk, the library cannot close its file, and later crashes the process.

    Raises:
        OSError: The first error, once the library has closed its file.
    """
    target = H5Target(file)
    yield target
    if target.error is not None:
        raise target.error


class H5Target:
    """The part of a file object that h5py uses. After the first error, which is kept, it only pretends to write.

    Attributes:
        error: The first error.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.error: OSError | None = None
        self._file = file
        # The library is told of these, which no error disturbs.
        self._position = 0
        self._size = 0

    def _try(self, action: Callable[[], object]) -> None:
        if self.error is None:
            try:
                action()
            except OSError as error:
                self.error = error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position from the beginning, the present position or the end, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes from the position, fewer at the end; after an error, zeros."""
        length = max(min(size if size >= 0 else self._size, self._size - self._position), 0)
        found: list[bytes] = []
        self._try(lambda: self._file.seek(self._position))
        self._try(lambda: found.append(self._file.read(length)))
        self._position += length
        return b"".join(found).ljust(length, b"\0")

    def write(self, data: bytes | memoryview) -> int:
        """Write at the position, and tell that all was written."""
        self._try(lambda: self._file.seek(self._position))
        self._try(lambda: self._file.write(data))
        self._position += len(data)
        if data:  # writing nothing beyond the end does not make a file longer
            self._size = max(self._size, self._position)
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Set the length, by default up to the position, and return it."""
        length = self._position if size is None else size
        self._size = length
        self._try(lambda: self._file.truncate(length))
        return length

    def flush(self) -> None:
        """Hand everything to the system."""
        self._try(self._file.flush)
