"""What tests of several areas share: a cache of their own, and bundles exported once for the whole run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from albert_export.tasks import get_task

Exported = Callable[..., Path]


def pytest_configure() -> None:
    """Listen to Ctrl-C even where the shell that started the run does not.

    A job in the background ignores SIGINT, as do all its children: those that tests interrupt would never end.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    directory = shared / "shared"
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture(scope="session", autouse=True)
def own_cache(shared_directory: Path) -> Iterator[None]:
    """Tests neither read nor write the cache of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALBERT_EXPORT_CACHE", str(shared_directory / "cache"))
        yield


@pytest.fixture(scope="session")
def exported(shared_directory: Path) -> Exported:
    """Give a bundle of the built-in model for a task and a target, exported without parity when it is first asked for.

    It is shared: a test that changes a bundle copies it first.
    """

    def give(name: str, target: str = "onnx") -> Path:
        task = get_task(name).name
        path = shared_directory / target / task
        path.parent.mkdir(exist_ok=True)
        with FileLock(shared_directory / f"{target}-{task}.lock"):
            if not path.exists():
                from albert_export.exporting import export

                export(target, model="albert-seeded", task=task, out=path, parity=False)
        return path

    return give
