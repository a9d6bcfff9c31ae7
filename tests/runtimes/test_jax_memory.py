"""What JAX is told about a GPU's memory, and when it is too late to tell it."""

from __future__ import annotations

from typing import Any

import pytest

from albert_export.errors import AlbertExportError, DeviceError, InputError
from albert_export.runtimes.jax_memory import CHOSEN_BY, allocator_settings

GIB = 2**30


def settings(environment: dict[str, str] | None = None, **changed: Any) -> dict[str, str]:
    return allocator_settings(environment or {}, **{"limit": None, "total": 80 * GIB, "started": False, **changed})


def test_without_a_limit_jax_takes_what_it_needs() -> None:
    assert settings() == {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    assert settings(started=True) == {}
    for name in CHOSEN_BY:
        assert settings({name: "x"}) == {}, "what the user chose stays"


def test_a_limit_is_a_share_of_the_gpu() -> None:
    assert settings(limit=20 * GIB) == {"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.2500"}


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
