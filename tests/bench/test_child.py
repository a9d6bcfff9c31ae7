"""A measured process and its other end: requests, errors, and what happens when it dies."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from albert_export._imports import import_path
from albert_export.bench.child import Child, _environment
from albert_export.errors import AlbertExportError

ROOT = Path(__file__).parents[2]

#: A model that doubles the ids, prints where it should not, and fails as the test wants.
MODEL = """
import os, sys
from albert_export.bench.serving import Loaded, serve
from albert_export.errors import InputError

kept = os.dup(1)

def prepare(request):
    if request["model"] == "absent":
        raise InputError("a model must be there", received="none", fix="make one")
    def load():
        print("a library's words at stdout")
        return Loaded(run, {"device": "cpu"})
    return load

def run(inputs):
    os.write(1, b"more of them\\n")
    ids = inputs["input_ids"]
    if ids[0, 0] == 7:
        raise ValueError("seven")
    if ids[0, 0] == 8:
        raise MemoryError
    if ids[0, 0] == 6:
        open("no/such/file")
    if ids[0, 0] == 5:
        os.write(kept, b'{"half a reply')
        os._exit(4)
    if ids[0, 0] == 9:
        sys.stderr.write("out of everything\\n\\n")
        os._exit(3)
    return {"logits": 2.0 * ids}

serve(prepare)
"""


def child() -> Child:
    return Child("toy", [sys.executable, "-c", MODEL])


def test_a_process_loads_runs_and_tells(tmp_path: Path) -> None:
    with child() as process:
        loaded = process.ask("load", model="toy")
        assert loaded["facts"] == {"device": "cpu"}
        assert loaded["seconds"] >= 0 and loaded["idle_bytes"] > 0 and loaded["resident_bytes"] > 0
        assert process.ask("first", inputs={"input_ids": [[1, 2]]})["seconds"] > 0
        assert process.ask("turn")["seconds"] > 0
        memory = process.ask("memory")
        assert 0 < memory["resident_bytes"] <= memory["peak_bytes"]
        process.ask("outputs", inputs={"input_ids": [[3, 4]]}, save=str(tmp_path / "out.npz"))
    with np.load(tmp_path / "out.npz") as stored:
        assert stored["logits"].tolist() == [[6.0, 8.0]]


def test_a_user_s_error_and_a_defect_are_told_apart() -> None:
    with child() as process:
        with pytest.raises(AlbertExportError, match="toy: a model must be there; received none; fix: make one"):
            process.ask("load", model="absent")
        process.ask("load", model="toy")
        with pytest.raises(RuntimeError, match="toy: ValueError: seven"):
            process.ask("first", inputs={"input_ids": [[7]]})
        assert process.ask("first", inputs={"input_ids": [[1]]})["seconds"] > 0


def test_what_the_machine_lacks_is_no_defect() -> None:
    with child() as process:
        process.ask("load", model="toy")
        with pytest.raises(
            AlbertExportError, match="toy: the memory must suffice; received MemoryError; fix: measure few"
        ):
            process.ask("first", inputs={"input_ids": [[8]]})
        with pytest.raises(AlbertExportError, match=r"toy: FileNotFoundError: .*no/such/file"):
            process.ask("first", inputs={"input_ids": [[6]]})


def test_half_a_reply_is_none() -> None:
    with child() as process:
        process.ask("load", model="toy")
        with pytest.raises(AlbertExportError, match="exit code 4 during first"):
            process.ask("first", inputs={"input_ids": [[5]]})


def test_a_pipe_to_a_dead_process_may_fail_in_any_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows tells a broken pipe as a wrong argument."""

    class Broken:
        def write(self, text: str) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

        def close(self) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

    with Child("toy", [sys.executable, "-c", "raise SystemExit('gone')"]) as process:
        assert process._process.stdin is not None
        process._process.stdin.close()
        monkeypatch.setattr(process._process, "stdin", Broken())
        with pytest.raises(AlbertExportError, match="exit code 1 during turn: gone"):
            process.ask("turn")


def test_a_process_of_ours_imports_in_our_order_and_jax_leaves_memory_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    variables = _environment({"PATH": "/bin"}, python=sys.executable)
    assert variables == {"PATH": "/bin", "PYTHONPATH": import_path(), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    chosen = {"XLA_PYTHON_CLIENT_PREALLOCATE": "true", "PYTHONPATH": "mine"}
    other = _environment(chosen, python="/elsewhere/python")
    assert other == {**chosen, "PYTHONPATH": os.pathsep.join([str(ROOT), "mine"])}


def test_a_process_that_dies_is_told_with_its_last_words() -> None:
    with child() as process:
        process.ask("load", model="toy")
        with pytest.raises(AlbertExportError, match=r"toy must live.*exit code 3 during first: out of everything"):
            process.ask("first", inputs={"input_ids": [[9]]})
        with pytest.raises(AlbertExportError, match="exit code 3 during turn"):
            process.ask("turn")


def test_a_failure_ends_the_process_at_once() -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"]) as one,
    ):
        raise KeyboardInterrupt
    assert one._process.returncode is not None
    one.close()
