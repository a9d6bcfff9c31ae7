"""Compiled programs of JAX, kept on the disk: the second start of an app compiles nothing."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from albert_export.builtin.cache import cache_directory

_log = logging.getLogger("albert_export.runtimes")

_lock = threading.Lock()


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
