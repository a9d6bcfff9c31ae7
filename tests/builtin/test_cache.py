"""Where the files of a built-in model are put: whole, checked, and somewhere at any rate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from albert_export.builtin import builtin_directory
from albert_export.builtin import cache as cache_module
from albert_export.builtin.cache import cache_directory, materialise
from albert_export.errors import CheckpointError

FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_made_once_and_found_again(tmp_path: Path) -> None:
    directory = materialise("name", "all", FILES, tmp_path)
    assert contents(directory) == FILES
    before = (directory / "config.json").stat().st_ino
    assert materialise("name", "all", FILES, tmp_path) == directory
    assert (directory / "config.json").stat().st_ino == before
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


def test_other_files_have_another_directory(tmp_path: Path) -> None:
    first = materialise("name", "all", FILES, tmp_path)
    second = materialise("name", "all", {**FILES, "config.json": b"{ }"}, tmp_path)
    assert first != second
    assert contents(first) == FILES


@pytest.mark.parametrize("damage", ["changed", "missing", "a file"])
def test_damage_is_repaired(tmp_path: Path, damage: str) -> None:
    directory = materialise("name", "all", FILES, tmp_path)
    if damage == "changed":
        (directory / "model.safetensors").write_bytes(b"weighty")
    else:
        (directory / "model.safetensors").unlink()
    if damage == "a file":
        (directory / "config.json").unlink()
        directory.rmdir()
        directory.write_bytes(b"")
    assert contents(materialise("name", "all", FILES, tmp_path)) == FILES
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


def test_a_cache_that_cannot_be_written_is_replaced_by_a_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("ALBERT_EXPORT_CACHE", str(blocked / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache_module._temporary_directory.cache_clear()
    try:
        directory = builtin_directory("albert-seeded")
        assert directory.is_relative_to(tmp_path)
        assert (directory / "model.safetensors").is_file()
        assert builtin_directory("albert-seeded") == directory
    finally:
        cache_module._temporary_directory.cache_clear()


def test_temporary_directory_goes_with_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {**os.environ, "ALBERT_EXPORT_CACHE": str(tmp_path / "file" / "x"), "TMPDIR": str(tmp_path)}
    code = "from albert_export.builtin import builtin_directory; print(builtin_directory('albert-seeded'))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.startswith(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_nowhere_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    cache_module._temporary_directory.cache_clear()
    with pytest.raises(CheckpointError, match="ALBERT_EXPORT_CACHE"):
        materialise("name", "all", FILES, tmp_path / "file")


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALBERT_EXPORT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_directory() == tmp_path / ".cache" / "albert-export"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_directory() == tmp_path / "Library" / "Caches" / "albert-export"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "albert-export"
    monkeypatch.setenv("ALBERT_EXPORT_CACHE", "~/chosen")
    assert cache_directory() == tmp_path / "chosen"


def test_processes_at_the_same_moment(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from albert_export.builtin.cache import materialise\n"
        "files = {f'{n}.bin': bytes(200_000) for n in range(20)}\n"
        "gate = Path(sys.argv[1], 'gate')\n"
        "while not gate.exists(): time.sleep(0.001)\n"
        "d = materialise('name', 'all', files, sys.argv[1])\n"
        "assert all((d / f).read_bytes() == c for f, c in files.items())"
    )
    root = Path(__file__).parents[2]
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=root, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    (tmp_path / "gate").touch()
    for process in running:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    made = list((tmp_path / "builtin" / "name").iterdir())
    assert len(made) == 1
