"""What JAX and its libraries print while they look for devices."""

from __future__ import annotations

import importlib.util
import os
from types import SimpleNamespace
from typing import Any

import pytest

from albert_export._jax import look_for_devices


def noisy() -> Any:
    return SimpleNamespace(devices=lambda: os.write(2, b"E0000 no TPU worker hostnames\n"))


@pytest.fixture
def libtpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


@pytest.mark.usefixtures("libtpu")
def test_libtpu_is_kept_silent_where_there_is_no_tpu(capfd: pytest.CaptureFixture[str]) -> None:
    look_for_devices(noisy())
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("libtpu")
def test_what_ends_the_search_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def devices() -> None:
        os.write(2, b"why\n")
        raise RuntimeError("no backend")

    with pytest.raises(RuntimeError, match="no backend"):
        look_for_devices(SimpleNamespace(devices=devices))
    assert capfd.readouterr().err == "why\n"


@pytest.mark.usefixtures("libtpu")
def test_a_user_who_asks_for_messages_gets_them(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    jax = noisy()
    look_for_devices(jax)
    jax.devices()
    assert "hostnames" in capfd.readouterr().err


def test_without_libtpu_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    look_for_devices(SimpleNamespace())
