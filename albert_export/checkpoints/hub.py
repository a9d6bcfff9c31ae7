"""Fetching a checkpoint from the hub, file by file, through ``huggingface-hub``.

The client owns revisions, the cache, offline mode, ``HF_ENDPOINT`` and tokens. Files are asked for one at a time: the
contents of one decide whether the next is wanted, and the weights of other frameworks never are. The first answer
names the commit; every further file is asked for at that commit, so that all come from one state.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from albert_export._version import __version__
from albert_export.checkpoints.checkpoint import CONFIG_NAME
from albert_export.checkpoints.layout import OTHER_FORMATS
from albert_export.errors import CheckpointError


@dataclass(frozen=True)
class Hub:
    """One repository at one commit.

    Attributes:
        repository: Hub id.
        commit: Commit hash that the asked revision resolved to.
        offline: Whether the network is out of bounds.
        unreachable: Whether the hub's name leads nowhere, so that only the cache is left to be asked.
        options: Keyword arguments of every call to the client.
    """

    repository: str
    commit: str
    offline: bool
    unreachable: bool
    options: dict[str, Any]

    @classmethod
    def open(
        cls,
        repository: str,
        *,
        revision: str | None,
        cache_dir: str | os.PathLike[str] | None,
        local_files_only: bool,
        token: str | bool | None,
    ) -> Hub:
        """Fetch ``config.json``, which every checkpoint has, and learn the commit from where it was put.

        Raises:
            CheckpointError: No such repository, revision or file, no access, or no network.
        """
        from huggingface_hub import constants

        offline = local_files_only or bool(constants.HF_HUB_OFFLINE)
        options: dict[str, Any] = {
            "cache_dir": None if cache_dir is None else os.fspath(cache_dir),
            "token": token,
            "library_name": "albert-export",
            "library_version": __version__,
        }
        asked = cls(
            repository, revision or "main", offline, not offline and _leads_nowhere(constants.ENDPOINT), options
        )
        # With network the client is asked even for what is in the cache: a branch may have moved.
        path = asked.get(CONFIG_NAME) if offline else asked._download(CONFIG_NAME)
        if path is None and offline:
            raise CheckpointError(
                "without network, a hub checkpoint must be in the cache",
                received=f"{repository} at {asked.commit}: no such directory here, and not in the cache",
                fix="run once with network, or give a directory",
            )
        if path is None:
            raise CheckpointError(
                f"a checkpoint must have {CONFIG_NAME}",
                received=f"the hub repository {repository}, which has none",
                fix="name a repository that transformers could load",
            )
        # The client's cache is …/snapshots/<commit>/<file>.
        return cls(repository, path.parent.name, offline, asked.unreachable, options)

    def get(self, file: str) -> Path | None:
        """Return the path of a file in the cache, fetched if need be; None when the repository has none of that name.

        Raises:
            CheckpointError: The file could not be fetched.
        """
        from huggingface_hub import try_to_load_from_cache

        with _told_in_one_line(self.repository, self.commit):
            cached = try_to_load_from_cache(
                self.repository, file, cache_dir=self.options["cache_dir"], revision=self.commit
            )
        if isinstance(cached, str):
            return Path(cached)
        # Anything else but None is the client's note that the repository has no such file at this commit. Offline,
        # even the client's own download call may use the network, to announce itself.
        return self._download(file) if cached is None and not self.offline else None

    def describe(self) -> str:
        """Tell in words what the repository holds instead of weights that can be read."""
        if self.offline:
            return "none of them in the cache, and the network is out of bounds"
        other = [f"{file} ({what}, a format not read here)" for file, what in OTHER_FORMATS.items() if self._has(file)]
        return ", ".join(other) or "none of them on the hub"

    def _has(self, file: str) -> bool:
        from huggingface_hub import HfApi

        with _told_in_one_line(self.repository, self.commit):
            return HfApi(token=self.options["token"]).file_exists(self.repository, file, revision=self.commit)

    def _download(self, file: str) -> Path | None:
        from huggingface_hub import hf_hub_download

        errors = _client_errors()

        with _told_in_one_line(self.repository, self.commit):
            try:
                return Path(
                    hf_hub_download(
                        self.repository,
                        file,
                        revision=self.commit,
                        local_files_only=self.unreachable,
                        **self.options,
                    )
                )
            except errors.LocalEntryNotFoundError:
                raise  # the network failed: whether the repository has the file is not known
            except errors.EntryNotFoundError:
                return None


@contextmanager
def _told_in_one_line(repository: str, revision: str) -> Iterator[None]:
    from huggingface_hub import constants

    errors = _client_errors()

    place = constants.ENDPOINT
    try:
        with _quiet_client():
            yield
    except errors.GatedRepoError as error:
        raise CheckpointError(
            "access to a gated repository must be granted first",
            received=repository,
            fix=f"accept its terms at {place}/{repository}, then set HF_TOKEN or run `hf auth login`",
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            "a checkpoint must be a directory that exists, a built-in model or a hub repository you may read",
            received=f"{repository}: no such directory here, and no such repository at {place} without further rights",
            fix="check the name; for a private repository set HF_TOKEN or run `hf auth login`",
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CheckpointError(
            f"the revision must be a branch, tag or commit of {repository}", received=revision
        ) from error
    except errors.HFValidationError as error:
        raise CheckpointError("a hub id must be owner/name", received=repository) from error
    except errors.LocalEntryNotFoundError as error:
        raise CheckpointError(
            "the hub must be reachable for what is not in the cache",
            received=f"{repository} at {revision}: no such directory here, and {place} does not answer",
            fix="check the network and HF_ENDPOINT, or give a directory",
        ) from error
    except _transport_errors() as error:
        raise CheckpointError(
            "the files of a hub checkpoint must arrive whole and fit into the cache",
            received=f"{repository}: {_first_line(error)}",
            fix="try again; what has arrived is kept",
        ) from error


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep back the client's warnings of each further attempt: an error of ours says in one line what became of them.

    A level that the user chose (``HF_HUB_VERBOSITY``) stays.
    """
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    if level != logging.WARNING:
        yield
        return
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _leads_nowhere(endpoint: str) -> bool:
    """Tell whether the hub's name cannot be resolved, as without network.

    The client would try six times, over 23 seconds. Behind a proxy the name is the proxy's affair.
    """
    place = urlsplit(endpoint)
    if place.scheme in getproxies() or "all" in getproxies() or not place.hostname:
        return False
    try:
        socket.getaddrinfo(place.hostname, place.port)
    except (OSError, UnicodeError):
        return True
    return False


def _client_errors() -> Any:
    # The module that has the client's errors in every release since the oldest one that the package allows; newer
    # ones do not declare them there.
    from huggingface_hub import utils

    return utils


def _transport_errors() -> tuple[type[BaseException], ...]:
    # The client lets errors of its HTTP library through; which library that is has changed between its releases.
    modules = (sys.modules.get(name) for name in ("httpx2", "httpx", "requests"))
    named = (getattr(module, name, None) for module in modules for name in ("HTTPError", "RequestException"))
    return (OSError, *(error for error in named if error is not None))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
