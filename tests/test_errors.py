"""Errors are one line, and arrive whole from a worker process."""

from __future__ import annotations

import copy
import importlib.metadata
import pickle  # noqa: TID251 -- what multiprocessing sends errors with
from pathlib import Path

import pytest

from albert_export import errors
from albert_export.errors import (
    InputError,
    MissingDependencyError,
    UnknownNameError,
    WeightsMismatchError,
    install_command,
)

ERRORS = (
    InputError("a rule", received="two\nlines", fix="a fix"),
    UnknownNameError("task", "qna", ["qa", "ner"]),
    MissingDependencyError("torch", needed_for="exporting", extra="onnx"),
    WeightsMismatchError("a rule", missing=["b", "a"], unexpected=["c"], mismatched=["d: [1] against [2]"]),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("send", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_arrives_as_it_was(send, error):
    arrived = send(error)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_one_line(error):
    assert "\n" not in str(error)


ROOT = Path(__file__).resolve().parents[1]


def test_the_tree_in_the_module_names_every_class():
    drawn = [line.strip(" │├└─").split()[0] for line in (errors.__doc__ or "").splitlines() if "Error" in line]
    made = {name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, Exception)}
    assert {name for name in drawn if name.endswith("Error")} == made


def test_an_extra_is_brought_to_the_package_that_is_installed_or_from_the_checkout(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "0.1.0")
    assert install_command("onnx", "jax") == "pip install 'albert-export[onnx,jax]'"
    assert install_command("onnx", upgrade=True) == "pip install --upgrade 'albert-export[onnx]'"

    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert install_command("onnx") == f"cd '{ROOT}' && pip install '.[onnx]'"
    error = MissingDependencyError("torch", needed_for="exporting", extra="onnx", otherwise="do without")
    assert error.fix == f"cd '{ROOT}' && pip install '.[onnx]', or do without"
