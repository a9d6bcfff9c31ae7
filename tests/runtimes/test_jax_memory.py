"""What JAX is told about a GPU's memory, and when it is too late to tell it."""

from __future__ import annotations

from typing import Any

import pytest

from albert_export.errors import AlbertExportError, DeviceError, InputError
from albert_export.runtimes.jax_memory import CHOSEN_BY, MemoryLimit, allocator_settings, gpu_id

GIB = 2**30


def settings(environment: dict[str, str] | None = None, **changed: Any) -> dict[str, str]:
    return allocator_settings(environment or {}, **{"limit": None, "total": 80 * GIB, "started": False, **changed})


def test_without_a_limit_jax_takes_what_it_needs() -> None:
    assert settings() == {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    assert settings(started=True) == {}
    for name in CHOSEN_BY:
        assert settings({name: "x"}) == {}, "what the user chose stays"


def test_a_limit_is_a_share_of_the_gpu() -> None:
    preallocates = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    # Not all of it at once: JAX would take it on every GPU that it sees.
    assert settings(limit=20 * GIB) == {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.250000", **preallocates}
    assert settings(preallocates, limit=20 * GIB) == {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.250000"}
    for limit in (10**9, 2**20, 7 * GIB + 1, 80 * GIB):
        share = float(settings(limit=limit)["XLA_PYTHON_CLIENT_MEM_FRACTION"])
        assert 0 < share * 80 * GIB <= limit


def test_the_same_limit_may_be_asked_for_again_and_no_other() -> None:
    environment: dict[str, str] = {}
    memory = MemoryLimit()
    memory.settle(environment, limit=4 * GIB, kind="cuda", total=80 * GIB, started=False)
    assert environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.050000"
    before = dict(environment)
    for limit in (4 * GIB, None):
        memory.settle(environment, limit=limit, kind="cuda", total=80 * GIB, started=True)
        memory.check(limit)
    assert environment == before
    with pytest.raises(InputError, match=r"received 5 GiB, where 4 GiB is in force; fix: give the same"):
        memory.settle(environment, limit=5 * GIB, kind="cuda", total=80 * GIB, started=True)


@pytest.mark.parametrize("kind", ["cpu", "tpu", "auto"])
def test_where_there_is_no_gpu_a_limit_is_no_matter(kind: str) -> None:
    environment: dict[str, str] = {}
    memory = MemoryLimit()
    for started in (False, True):
        memory.settle(environment, limit=4 * GIB, kind=kind, total=None, started=started)
    assert environment == {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}, "JAX looks for GPUs whatever it is asked for"
    memory.settle(environment, limit=None, kind=kind, total=None, started=True)
    with pytest.raises(DeviceError, match="whose size must be known"):  # had auto found one after all
        memory.check(4 * GIB)


@pytest.mark.parametrize(
    ("visible", "index", "name"),
    [(None, 1, "1"), ("", 0, "0"), ("3", 0, "3"), ("2, 5", 1, "5"), ("GPU-1a,GPU-2b", 0, "GPU-1a"), ("3", 1, "1")],
)
def test_a_gpu_is_asked_about_by_the_name_that_nvidia_smi_has(visible: str | None, index: int, name: str) -> None:
    assert gpu_id({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}, index) == name


@pytest.mark.parametrize(
    ("environment", "changed", "kind", "part"),
    [
        ({"XLA_PYTHON_CLIENT_MEM_FRACTION": ".5"}, {}, InputError, r"MEM_FRACTION=\.5; fix: .*unset"),
        ({}, {"started": True}, InputError, "when a process first uses it.*open this artifact first"),
        ({}, {"total": None}, DeviceError, "whose size must be known.*check nvidia-smi"),
        ({}, {"total": 4 * GIB}, DeviceError, "at most what the GPU has; received 8 GiB of 4 GiB"),
    ],
)
def test_a_limit_that_cannot_be_kept(
    environment: dict[str, str], changed: dict[str, Any], kind: type[AlbertExportError], part: str
) -> None:
    with pytest.raises(kind, match=part) as caught:
        settings(environment, limit=8 * GIB, **changed)
    assert "\n" not in str(caught.value)
