"""Compiled programs of JAX, kept on the disk: the second start of an app compiles nothing."""

from __future__ import annotations

import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from albert_export.builtin.cache import cache_directory

_log = logging.getLogger("albert_export.runtimes")

_lock = threading.Lock()
#: Filters of warnings are the process's: two compilations must not change and restore them crosswise.
_compiling = threading.Lock()
#: What JAX warns of when it meets a program that was not written whole, as by a process that was killed.
_UNREADABLE = re.compile(r"Error reading persistent compilation cache entry for '([\w.-]+)'")


def keep_programs(jax: Any) -> str | None:
    """Have JAX keep what it compiles in the package's cache; return the directory, or None where nothing is kept.

    It is JAX's persistent compilation cache, which a process has one of: other programs of this process are kept there
    as well. Where the user has chosen a directory, or switched the cache off, all stays as it is.
    """
    with _lock:
        if not jax.config.jax_enable_compilation_cache:
            return None
        if jax.config.jax_compilation_cache_dir:
            return str(jax.config.jax_compilation_cache_dir)
        try:
            directory = cache_directory() / "jax"
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _log.info("compiled programs are not kept: %s", error)
            return None
        if not os.access(directory, os.W_OK):
            _log.info("compiled programs are not kept: %s cannot be written", directory)
            return None
        from jax.experimental.compilation_cache import compilation_cache

        jax.config.update("jax_compilation_cache_dir", str(directory))
        # By default only what takes a second is kept.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        # What was compiled before has made JAX settle that there is no cache.
        compilation_cache.reset_cache()
        return str(directory)


@contextmanager
def without_broken_programs(directory: str | None) -> Iterator[None]:
    """Compile in this block; programs in the package's cache that JAX cannot read are removed, and not warned of.

    JAX compiles them, but leaves the broken files in their place, and so would compile them at every start.

    Args:
        directory: What :func:`keep_programs` returned.
    """
    if directory is None or Path(directory) != cache_directory() / "jax":
        yield
        return
    with _compiling:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            yield
        for warning in told:
            found = _UNREADABLE.match(str(warning.message))
            if found is None:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
                continue
            # Which of the programs of that name it is remains unsaid; the others are merely compiled once more.
            _log.info("a kept program was not whole, and is compiled again: %s", warning.message)
            for path in Path(directory).glob(f"{found[1]}-*"):
                path.unlink(missing_ok=True)
