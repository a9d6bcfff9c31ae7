from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from albert_export.bundle import Bundle, BundleWriter, destination
from albert_export.bundle.destination import check_destination
from albert_export.errors import BundleError, ConflictError
from tests.bundle.builders import SOURCE, TASK, names, tree, write_bundle


def refused(out: str | Path, told: str, kind: type[BundleError] = BundleError) -> None:
    with pytest.raises(kind, match=told) as caught:
        BundleWriter(out, task=TASK, source=SOURCE).__enter__()
    assert "\n" not in str(caught.value)


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "qa").write_text("mine")
    refused(tmp_path / "qa", "must be a directory", ConflictError)
    assert tree(tmp_path) == {"qa": b"mine"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names but text")
def test_a_path_that_is_no_text_is_refused(tmp_path: Path) -> None:
    refused(os.fsdecode(os.fsencode(tmp_path) + b"/od\xffd/qa"), "must be text, .*; received .*/od\ufffdd/qa; fix")
    assert tree(tmp_path) == {}


def test_a_directory_with_other_contents_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "qa").mkdir()
    (tmp_path / "qa/thesis.txt").write_text("mine")
    refused(tmp_path / "qa", "only a bundle or an empty directory may be replaced", ConflictError)
    assert tree(tmp_path) == {"qa/thesis.txt": b"mine"}


def test_a_directory_with_somebody_elses_manifest_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/manifest.json").write_text('{"name": "a web app", "icons": []}')
    refused(tmp_path / "app", "must be the manifest of an albert-export bundle")
    assert names(tmp_path / "app") == ["manifest.json"]


def test_a_stranger_in_the_place_of_the_rejected_candidate_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "qa.rejected").mkdir()
    (tmp_path / "qa.rejected/thesis.txt").write_text("mine")
    refused(tmp_path / "qa", r"received a directory with other contents: .*qa\.rejected", ConflictError)
    assert tree(tmp_path) == {"qa.rejected/thesis.txt": b"mine"}


@pytest.mark.parametrize("out", [".", "", "..", "qa/.."])
def test_the_current_directory_is_not_replaced_under_the_users_feet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    root = write_bundle(tmp_path / "home/qa").path.parent
    monkeypatch.chdir(root)
    refused(out, "must not hold the current directory")
    monkeypatch.chdir(root / "qa")
    refused(out, "must not hold the current directory")
    assert names(root) == ["qa"]


def test_a_deleted_current_directory_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    try:
        assert write_bundle(tmp_path / "qa").manifest.task == TASK
    finally:
        os.chdir(tmp_path)


def test_the_root_and_mount_points_are_refused() -> None:
    refused("/", "must be a directory of its own")
    refused("/proc" if Path("/proc").is_mount() else "/dev", "must not be a mount point")


def test_a_bind_mount_is_seen_in_the_kernels_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Path(os.path.realpath(tmp_path)) / "mounted here"
    out.mkdir()
    escaped = str(out).replace(" ", "\\040")
    line = f"36 35 98:0 /mnt1 {escaped} rw,noatime master:1 - ext3 /dev/root rw\n".encode()
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: line if path == Path("/proc/self/mountinfo") else real(path))
    with pytest.raises(BundleError, match="must not be a mount point"):
        check_destination(out)
    assert check_destination(out.with_name("mounted")) == out.with_name("mounted")


def test_a_place_below_a_file_or_in_no_real_directory_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refused(tmp_path / "file/qa", "must lie in a directory; received one below a file")
    refused(tmp_path / "file/deep/qa", "must lie in a directory; received one below a file")
    if Path("/proc/self").exists():
        refused("/proc/qa", "locking the bundle /proc/qa; received No such file")
        refused("/proc/deep/qa", "/proc")
    refused(tmp_path / ("n" * 255), "File name too long")
    refused(f"{tmp_path}/a\0b", "must not hold a null character")
    with pytest.raises(BundleError, match="must not hold a null character"):
        Bundle.open(f"{tmp_path}/a\0b")
    assert names(tmp_path) == ["file"]


def test_a_link_that_leads_to_itself_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "qa").symlink_to("qa")
    refused(tmp_path / "qa", str(tmp_path))
    with pytest.raises(BundleError, match="symbolic links"):
        Bundle.open(tmp_path / "qa")


def test_the_check_itself_writes_nothing(tmp_path: Path) -> None:
    assert destination.check_destination(tmp_path / "a/b/qa").name == "qa"
    assert names(tmp_path) == []


@pytest.mark.parametrize("text", ["{", '{"schema_version": 1}', '{"schema_version": 0}'])
def test_a_writer_that_meets_a_damaged_manifest_names_a_way_out(tmp_path: Path, text: str) -> None:
    (tmp_path / "qa").mkdir()
    (tmp_path / "qa/manifest.json").write_text(text)
    (tmp_path / "qa/config.json").write_text("{}")
    with pytest.raises(BundleError) as caught, BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE):
        pass
    assert str(tmp_path / "qa") in caught.value.rule
    assert caught.value.fix is not None
    assert caught.value.fix.endswith(f"remove {tmp_path / 'qa'}, or choose another output directory")
    assert (tmp_path / "qa/manifest.json").read_text() == text
