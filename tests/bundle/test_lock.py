from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import pytest

from albert_export.bundle import Bundle, BundleWriter, exchange, lock
from albert_export.bundle.lock import lock_path, writer_lock
from albert_export.errors import ConflictError
from tests.bundle.builders import SOURCE, TASK, fill, names, write_bundle

ROOT = Path(__file__).parents[2]


def test_a_second_writer_fails_at_once_and_names_the_first(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE) as first:
        with pytest.raises(ConflictError, match=f"only one writer .*process {os.getpid()} on .*; fix: wait"):
            write_bundle(tmp_path / "qa")
        fill(first, {"onnx/model.onnx": "first"})
        first.commit()
    assert names(tmp_path) == ["qa"]


def test_a_second_process_fails_at_once_too(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.bundle.builders import write_bundle;"
        "from albert_export.errors import ConflictError\n"
        "try: write_bundle(Path(sys.argv[1]))\n"
        "except ConflictError as error: print(error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path / "qa")]
    with BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert f"process {os.getpid()} on " in done.stdout, done.stderr
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "" and done.returncode == 0, done.stderr
    assert Bundle.open(tmp_path / "qa").manifest.task == TASK


def test_the_probe_of_a_refused_writer_may_be_deleted_as_a_leftover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers see it as well: they take the lock to put a bundle back that seems to be left half-exchanged."""
    own = Path.rmdir

    def rmdir(path: Path) -> None:
        exchange.remove_leftovers(tmp_path / "qa")
        own(path)

    with writer_lock(tmp_path / "qa"):
        monkeypatch.setattr(Path, "rmdir", rmdir)
        with pytest.raises(ConflictError), writer_lock(tmp_path / "qa"):
            pass
    assert names(tmp_path) == []


def test_a_writer_may_wait_for_another(tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with writer_lock(tmp_path / "qa"):
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert entered.wait(30)
    with pytest.raises(ConflictError), BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE, timeout=0.1):
        pass
    threading.Timer(0.2, leave.set).start()
    with BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE, timeout=30) as writer:
        writer.commit()
    thread.join(30)
    assert names(tmp_path) == ["qa"]


def test_many_writers_one_after_another_never_meet(tmp_path: Path) -> None:
    """The lock file is deleted on release: no writer may hold a deleted one beside the holder of the next."""
    inside = 0
    most = 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(25):
            with writer_lock(tmp_path / "qa", timeout=60):
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert most == 1
    assert names(tmp_path) == []


def test_a_lock_file_that_a_killed_writer_left_hinders_nobody(tmp_path: Path) -> None:
    lock_path(tmp_path / "qa").write_text("process 1 on elsewhere\n")
    write_bundle(tmp_path / "qa")
    assert names(tmp_path) == ["qa"]


def test_the_lock_file_stays_with_an_older_filelock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_REMOVABLE", False)
    write_bundle(tmp_path / "qa")
    write_bundle(tmp_path / "qa")
    assert names(tmp_path) == [".qa.lock", "qa"]


def test_the_marker_of_a_file_system_without_locks_is_left_to_filelock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filelock, "FileLock", filelock.SoftFileLock)
    with writer_lock(tmp_path / "qa"):
        assert not lock_path(tmp_path / "qa").read_text().startswith("process")
        with pytest.raises(ConflictError), writer_lock(tmp_path / "qa"):
            pass
    assert names(tmp_path) == []


def test_a_candidate_is_not_rejected_into_a_directory_that_another_writer_holds(tmp_path: Path) -> None:
    write_bundle(tmp_path / "qa.rejected")
    with writer_lock(tmp_path / "qa.rejected"):
        write_bundle(tmp_path / "qa")
        with BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE) as writer:
            fill(writer, {"onnx/model.onnx": "second"})
            with pytest.raises(ConflictError, match=r"qa\.rejected"):
                writer.reject()
    assert names(tmp_path) == ["qa", "qa.rejected"]


@pytest.mark.parametrize("mechanism", ["exchange", "two renames"])
def test_readers_never_see_a_writer_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mechanism: str) -> None:
    if mechanism == "two renames":
        monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    out = write_bundle(tmp_path / "qa").path
    stop = threading.Event()
    opened = [0, 0]
    errors: list[BaseException] = []

    def read(index: int) -> None:
        try:
            while not stop.is_set():
                Bundle.open(out)
                opened[index] += 1
        except BaseException as error:  # noqa: BLE001 — told by the test itself
            errors.append(error)

    readers = [threading.Thread(target=read, args=(index,)) for index in range(2)]
    for reader in readers:
        reader.start()
    for count in range(60):
        with BundleWriter(out, task=TASK, source=SOURCE, timeout=30) as writer:
            fill(writer, {"onnx/model.onnx": f"number {count}"})
            writer.commit()
    stop.set()
    for reader in readers:
        reader.join(60)
    assert errors == []
    assert min(opened) > 10
