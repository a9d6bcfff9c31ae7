"""TFLite artifacts on LiteRT: what a file that is none gets, threads, and shapes that change from run to run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from albert_export.bundle import Bundle
from albert_export.errors import BundleError, InputError, MissingDependencyError
from albert_export.runtimes.litert_runtime import LiteRtRuntime

Exported = Callable[..., Path]


@pytest.fixture(scope="module")
def bundle(exported: Exported) -> Bundle:
    return Bundle.open(exported("qa", "tflite"))


def open_file(path: Path, bundle: Bundle, **options: object) -> LiteRtRuntime:
    return LiteRtRuntime.open_file(path, task=bundle.task, config=bundle.config, **options)  # type: ignore[arg-type]


def test_an_answer_does_not_depend_on_the_shapes_before_it(bundle: Bundle) -> None:
    generator = np.random.default_rng(0)
    batches = [generator.integers(5, 100, shape) for shape in ((1, 4), (3, 9), (1, 1), (2, 4), (1, 4))]
    with open_file(bundle.file(bundle.select()), bundle) as runtime:
        together = [runtime.run(input_ids=ids)["start_logits"] for ids in batches]
    for ids, found in zip(batches, together, strict=True):
        with open_file(bundle.file(bundle.select()), bundle) as fresh:
            np.testing.assert_array_equal(fresh.run(input_ids=ids)["start_logits"], found)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64])
def test_a_file_that_is_no_model(tmp_path: Path, bundle: Bundle, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.tflite must be a model that LiteRT loads"):
        open_file(path, bundle)


def test_a_truncated_file(tmp_path: Path, bundle: Bundle) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(bundle.file(bundle.select()).read_bytes()[:-100_000])
    with pytest.raises(BundleError, match=r"model\.tflite must"):
        open_file(path, bundle).run(input_ids=[[2, 3]])


def test_a_model_of_another_task(tmp_path: Path, bundle: Bundle, exported: Exported) -> None:
    other = Bundle.open(exported("fill-mask", "tflite"))
    path = tmp_path / "model.tflite"
    shutil.copyfile(other.file(other.select()), path)
    with pytest.raises(BundleError, match="outputs logits where the task has start_logits, end_logits"):
        open_file(path, bundle)


def test_a_run_leaves_stderr_to_other_threads(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_file(bundle.file(bundle.select()), bundle) as runtime:
        replaced: list[int] = []
        monkeypatch.setattr(os, "dup2", lambda *descriptors: replaced.append(descriptors[1]))
        for shape in ((1, 4), (3, 9)):
            runtime.run(input_ids=np.ones(shape, dtype=np.int32))
        monkeypatch.undo()
    assert replaced == []
    assert capfd.readouterr().err == "", "LiteRT told of its delegate"


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_reach_the_interpreter(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    from ai_edge_litert import interpreter

    given: list[object] = []

    class Spy(interpreter.Interpreter):  # type: ignore[misc]  # untyped
        def __init__(self, *args: object, num_threads: object = None, **options: object) -> None:
            given.append(num_threads)
            super().__init__(*args, num_threads=num_threads, **options)

    monkeypatch.setattr(interpreter, "Interpreter", Spy)
    with open_file(bundle.file(bundle.select()), bundle, threads=threads) as runtime:
        assert runtime.threads == threads
        assert runtime.describe()["threads"] == threads
    assert given == [threads]


def test_threads_that_are_none(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="threads must be"):
        open_file(bundle.file(bundle.select()), bundle, threads=0)


def test_without_litert_the_extra_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingDependencyError, match=r"albert-export\[tflite\]"):
        open_file(bundle.file(bundle.select()), bundle)
