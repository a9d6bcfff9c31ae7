from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from albert_export.bundle import Bundle, BundleWriter, writer
from albert_export.checkpoints import Source
from albert_export.errors import BundleError, ConflictError, IntegrityError, UnknownNameError
from tests.bundle.builders import OTHER_SOURCE, SOURCE, TASK, artifact, fill, names, onnx_bytes, tree, write_bundle


def open_writer(out: Path, **changes: Any) -> BundleWriter:
    return BundleWriter(out, **{"task": TASK, "source": SOURCE, **changes})


def test_a_first_bundle_leaves_nothing_beside_it(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "qa")
    assert names(tmp_path) == ["qa"]
    assert sorted(tree(bundle.path)) == ["config.json", "manifest.json", "onnx/model.onnx"]


def test_missing_parents_are_made_and_taken_away_again_when_nothing_is_written(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a/b/qa"):
        assert (tmp_path / "a/b").is_dir()
    assert names(tmp_path) == []
    write_bundle(tmp_path / "a/b/qa")
    assert Bundle.open(tmp_path / "a/b/qa").manifest.task == TASK


def test_parents_that_were_made_before_one_failed_are_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.mkdir

    def mkdir(path: Path, *arguments: Any, **options: Any) -> None:
        if path.name == "c":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(BundleError, match="disk full"):
        write_bundle(tmp_path / "a/b/c/d/qa")
    assert names(tmp_path) == []


def test_parents_that_someone_else_began_to_use_stay(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a/b/qa"):
        (tmp_path / "a/mine").write_text("mine")
    assert tree(tmp_path) == {"a/mine": b"mine"}
    assert names(tmp_path / "a") == ["mine"]


def test_leaving_without_commit_leaves_the_old_bundle(tmp_path: Path) -> None:
    write_bundle(tmp_path / "qa")
    before = tree(tmp_path)
    with open_writer(tmp_path / "qa") as open_one:
        fill(open_one, {"onnx/model.onnx": "second"})
    assert tree(tmp_path) == before


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_any_error_inside_leaves_the_old_bundle_and_passes_through(tmp_path: Path, error: BaseException) -> None:
    write_bundle(tmp_path / "qa")
    before = tree(tmp_path)
    with pytest.raises(type(error)) as caught, open_writer(tmp_path / "qa") as open_one:
        fill(open_one, {"onnx/model.onnx": "second"})
        raise error
    assert caught.value is error
    assert tree(tmp_path) == before


def test_a_second_artifact_is_added_and_the_first_not_stored_again(tmp_path: Path) -> None:
    first = write_bundle(tmp_path / "qa")
    inode = first.file(first.select()).stat().st_ino
    both = write_bundle(tmp_path / "qa", {"onnx/model_unrolled.onnx": "other"}, layers="unrolled")
    assert [each.file for each in both.manifest.artifacts] == ["onnx/model.onnx", "onnx/model_unrolled.onnx"]
    assert (both.path / "onnx/model.onnx").stat().st_ino == inode
    assert (both.path / "onnx/model.onnx").stat().st_nlink == 1  # the old directory is gone
    assert Bundle.open(tmp_path / "qa") == both
    assert names(tmp_path) == ["qa"]


def settled(root: Path, text: str) -> Bundle:
    """Export an ONNX file again, as an exporter does that does not know what the bundle holds."""
    with open_writer(root) as writer:
        fill(writer, {})
        writer.path_for_new_file("onnx/model.onnx").write_bytes(onnx_bytes(text))
        writer.put_artifact(artifact("onnx/model.onnx", (writer.settle("onnx/model.onnx"),)))
        return writer.commit()


@pytest.mark.parametrize(("text", "is_kept"), [("first", True), ("other", False)])
def test_a_file_that_is_made_anew_unchanged_is_the_one_that_was_there(tmp_path: Path, text: str, is_kept: bool) -> None:
    path = write_bundle(tmp_path / "qa").path / "onnx/model.onnx"
    inode = path.stat().st_ino
    assert settled(tmp_path / "qa", text).path == tmp_path / "qa"
    assert path.read_bytes() == onnx_bytes(text)
    assert (path.stat().st_ino == inode) is is_kept


def test_a_damaged_file_is_mended_by_one_that_is_made_anew(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "qa").path / "onnx/model.onnx"
    path.write_bytes(onnx_bytes("fIrst"))
    settled(tmp_path / "qa", "first")
    assert path.read_bytes() == onnx_bytes("first")


def test_exporting_again_replaces_the_artifact_and_takes_its_unused_files_away(tmp_path: Path) -> None:
    with open_writer(tmp_path / "qa") as first:
        records = [first.write_bytes(name, onnx_bytes("1")) for name in ("onnx/model.onnx", "onnx/old/weights.data")]
        first.put_artifact(artifact("onnx/model.onnx", tuple(records)))
        first.commit()
    bundle = write_bundle(tmp_path / "qa", {"onnx/model.onnx": "second"})
    assert sorted(tree(bundle.path)) == ["config.json", "manifest.json", "onnx/model.onnx"]
    assert names(bundle.path / "onnx") == ["model.onnx"]
    assert bundle.file(bundle.select()).read_bytes() == onnx_bytes("second")


def test_what_no_manifest_lists_is_the_users_and_stays(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    (root / "README.md").write_text("mine")
    (root / "notes/deep").mkdir(parents=True)
    (root / "notes/deep/a.txt").write_text("mine too")
    (root / "empty").mkdir()
    (root / "onnx/beside.txt").write_text("beside")
    (root / "link").symlink_to("notes/deep")
    (root / "dangling").symlink_to("/nowhere/at/all")
    write_bundle(tmp_path / "qa", {"onnx/model.onnx": "second"})
    assert (root / "README.md").read_text() == "mine"
    assert (root / "link/a.txt").read_text() == "mine too"
    assert (root / "onnx/beside.txt").read_text() == "beside"
    assert (root / "empty").is_dir()
    assert (root / "link").readlink() == Path("notes/deep")
    assert (root / "dangling").readlink() == Path("/nowhere/at/all")


def test_writing_freely_into_the_directory_never_touches_the_old_bundle(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    before = tree(root)
    with open_writer(root) as open_one:
        for name in before:
            path = open_one.directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"anything")
        assert tree(root) == before
    assert tree(root) == before


def test_a_new_file_over_a_linked_one_leaves_the_old_one_alone(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa", {"onnx/model.onnx": "first", "onnx/model_unrolled.onnx": "other"}).path
    before = tree(root)
    with open_writer(root) as open_one:
        candidate = open_one.candidate()
        linked = candidate.path / "onnx/model.onnx"
        assert linked.samefile(root / "onnx/model.onnx")
        record = open_one.write_bytes("onnx/model.onnx", onnx_bytes("second"))
        assert not linked.samefile(root / "onnx/model.onnx")
        assert tree(root) == before
        open_one.put_artifact(artifact("onnx/model.onnx", (record,)))
        bundle = open_one.commit()
    assert bundle.file(bundle.select(file="onnx/model.onnx")).read_bytes() == onnx_bytes("second")
    assert Bundle.open(root) == bundle


def test_the_candidate_is_a_whole_bundle_before_it_is_committed(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    (root / "README.md").write_text("mine")
    with open_writer(root) as open_one:
        record = open_one.write_bytes("onnx/model_unrolled.onnx", onnx_bytes("other"))
        made = artifact("onnx/model_unrolled.onnx", (record,), layers="unrolled")
        open_one.put_artifact(made)
        candidate = open_one.candidate()
        assert Bundle.open(candidate.path) == candidate
        assert len(candidate.manifest.artifacts) == 2
        judged = artifact("onnx/model_unrolled.onnx", (record,), layers="unrolled", parity={"ok": True})
        open_one.put_artifact(judged)
        assert len(Bundle.open(root).manifest.artifacts) == 1
        bundle = open_one.commit()
    assert bundle.select(file=judged.file).parity == {"ok": True}
    assert (root / "README.md").read_text() == "mine"
    assert Bundle.open(root) == bundle


def test_a_candidate_drops_the_files_of_an_artifact_that_is_replaced_after_it(tmp_path: Path) -> None:
    with open_writer(tmp_path / "qa") as first:
        records = tuple(first.write_bytes(name, onnx_bytes("1")) for name in ("onnx/model.onnx", "onnx/w.data"))
        first.put_artifact(artifact("onnx/model.onnx", records))
        first.commit()
    with open_writer(tmp_path / "qa") as second:
        assert (second.candidate().path / "onnx/w.data").exists()
        second.put_artifact(artifact("onnx/model.onnx", (second.write_bytes("onnx/model.onnx", onnx_bytes("2")),)))
        bundle = second.commit()
    assert sorted(tree(bundle.path)) == ["manifest.json", "onnx/model.onnx"]


def test_parity_figures_alone_can_be_renewed(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    inode = (root / "onnx/model.onnx").stat().st_ino
    with open_writer(root) as open_one:
        assert open_one.previous is not None
        (only,) = open_one.previous.artifacts
        assert open_one.record("onnx/model.onnx") == only.files[0]
        open_one.put_artifact(artifact(only.file, only.files, parity={"ok": True}))
        (open_one.directory / "parity").mkdir()
        (open_one.directory / "parity/report.json").write_text("{}")
        open_one.commit()
    assert Bundle.open(root).select().parity == {"ok": True}
    assert (root / "onnx/model.onnx").stat().st_ino == inode
    assert (root / "parity/report.json").read_text() == "{}"


def test_remove_leaves_a_file_or_an_artifact_out(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa", {"onnx/model.onnx": "first", "onnx/model_unrolled.onnx": "other"}).path
    (root / "parity").mkdir()
    (root / "parity/report.md").write_text("stale")
    with open_writer(root) as open_one:
        open_one.candidate()
        for relative in ("parity/report.md", "onnx/model_unrolled.onnx", "config.json", "never/there"):
            open_one.remove(relative)
        open_one.write_bytes("config.json", b"{}")
        open_one.put_file("config.json")
        bundle = open_one.commit()
    assert sorted(tree(root)) == ["config.json", "manifest.json", "onnx/model.onnx"]
    assert [each.file for each in bundle.manifest.artifacts] == ["onnx/model.onnx"]
    assert (root / "config.json").read_text() == "{}"


def test_a_rejected_candidate_lies_beside_the_untouched_bundle(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    (root / "README.md").write_text("mine")
    before = tree(root)
    with open_writer(root) as open_one:
        record = open_one.write_bytes("onnx/model_unrolled.onnx", onnx_bytes("wrong"))
        made = artifact("onnx/model_unrolled.onnx", (record,), parity={"max_error": float("nan")})
        open_one.put_artifact(made)
        (open_one.directory / "parity").mkdir()
        (open_one.directory / "parity/report.md").write_text("it differs")
        rejected = open_one.reject()
    assert rejected == tmp_path / "qa.rejected"
    assert tree(root) == before
    assert names(tmp_path) == ["qa", "qa.rejected"]
    bundle = Bundle.open(rejected)
    assert bundle.select(file="onnx/model_unrolled.onnx").parity == {"max_error": "nan"}
    assert (rejected / "parity/report.md").read_text() == "it differs"
    assert not (rejected / "README.md").exists()
    for relative in tree(rejected):
        with (rejected / relative).open("ab") as file:
            file.write(b"edited")
    assert tree(root) == before


def test_a_rejected_first_export_leaves_no_bundle(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with open_writer(tmp_path / "qa") as open_one:
            fill(open_one, {"onnx/model.onnx": text})
            open_one.reject()
        assert names(tmp_path) == ["qa.rejected"]
        assert (tmp_path / "qa.rejected/onnx/model.onnx").read_bytes() == onnx_bytes(text)


def test_another_task_or_checkpoint_is_refused_naming_both(tmp_path: Path) -> None:
    write_bundle(tmp_path / "qa")
    before = tree(tmp_path)
    with pytest.raises(ConflictError, match=r"holds the task question-answering.*received fill-mask"):
        open_writer(tmp_path / "qa", task="mlm").__enter__()
    told = (
        r"checkpoint tiny \(sha256 aaaaaaaaaaaa….*received the checkpoint someone/else at c0ffee \(sha256 bbbbbbbbbbbb"
    )
    with pytest.raises(ConflictError, match=told) as caught:
        open_writer(tmp_path / "qa", source=OTHER_SOURCE).__enter__()
    assert "\n" not in str(caught.value) and "fix: " in str(caught.value)
    assert tree(tmp_path) == before
    assert names(tmp_path) == ["qa"]


def test_the_same_checkpoint_under_another_name_is_no_conflict(tmp_path: Path) -> None:
    write_bundle(tmp_path / "qa")
    with open_writer(tmp_path / "qa", source=Source("hub", "me/tiny", "abc", SOURCE.sha256)) as open_one:
        assert open_one.commit().manifest.source.name == "me/tiny"


def test_an_unknown_task_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        BundleWriter(tmp_path / "qa", task="question", source=SOURCE)
    assert names(tmp_path) == []


def test_a_manifest_of_a_newer_release_is_not_overwritten(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    text = (root / "manifest.json").read_text().replace('"schema_version": 1', '"schema_version": 99')
    (root / "manifest.json").write_text(text)
    before = tree(tmp_path)
    with pytest.raises(BundleError, match="install a newer release"):
        open_writer(root).__enter__()
    assert tree(tmp_path) == before


def test_a_kept_artifact_that_was_altered_stops_the_commit_and_a_replaced_one_is_mended(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    (root / "onnx/model.onnx").write_bytes(onnx_bytes("fIrst"))
    before = tree(tmp_path)
    with pytest.raises(IntegrityError, match=rf"onnx/model\.onnx of the bundle {root} must have the sha256"):
        write_bundle(root, {"onnx/model_unrolled.onnx": "other"})
    assert tree(tmp_path) == before
    assert Bundle.open(write_bundle(root, {"onnx/model.onnx": "first"}).path).select().file == "onnx/model.onnx"


def test_a_record_that_is_not_the_file_stops_the_commit(tmp_path: Path) -> None:
    with (
        pytest.raises(IntegrityError, match=r"onnx/model\.onnx .*must have the sha256"),
        open_writer(tmp_path / "qa") as open_one,
    ):
        fill(open_one, {"onnx/model.onnx": "first"})
        (open_one.directory / "onnx/model.onnx").write_bytes(onnx_bytes("quick"))
        open_one.commit()
    assert names(tmp_path) == []
    with (
        pytest.raises(IntegrityError, match=r"missing\.json .*must be there"),
        open_writer(tmp_path / "qa") as open_one,
    ):
        open_one.put_file("missing.json")


@pytest.mark.parametrize("relative", ["../x", "/tmp/x", "a/../../x", ""])
def test_no_file_is_written_outside(tmp_path: Path, relative: str) -> None:
    with open_writer(tmp_path / "qa") as open_one:
        for call in (open_one.path_for_new_file, open_one.record, open_one.put_file, open_one.remove):
            with pytest.raises(IntegrityError):
                call(relative)
        (open_one.directory / "away").symlink_to(tmp_path)
        with pytest.raises(IntegrityError, match="may lead out of it"):
            open_one.path_for_new_file("away/x")
    assert names(tmp_path) == []


def test_modes_come_from_the_umask_and_the_directorys_own_is_kept(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        root = write_bundle(tmp_path / "qa").path
        assert stat.S_IMODE(root.stat().st_mode) == 0o750
        assert {stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()} == {0o640}
        root.chmod(0o701)
        write_bundle(tmp_path / "qa", {"onnx/model_unrolled.onnx": "other"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(root.stat().st_mode) == 0o701


def test_a_copy_stands_in_where_links_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_bundle(tmp_path / "qa").path
    (root / "onnx/model.onnx").chmod(0o600)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_bundle(root, {"onnx/model_unrolled.onnx": "other"})
    assert Bundle.open(root).select(file="onnx/model.onnx").precision == "fp32"
    assert stat.S_IMODE((root / "onnx/model.onnx").stat().st_mode) == 0o600


def test_a_bundle_through_a_link_is_replaced_where_it_lies_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    write_bundle(tmp_path / "disk/qa")
    (tmp_path / "qa").symlink_to("disk/qa")
    write_bundle(tmp_path / "qa", {"onnx/model.onnx": "second"})
    assert (tmp_path / "qa").is_symlink()
    assert names(tmp_path) == ["disk", "qa"] and names(tmp_path / "disk") == ["qa"]
    assert (tmp_path / "disk/qa/onnx/model.onnx").read_bytes() == onnx_bytes("second")


def test_a_link_to_nothing_is_filled_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "qa").symlink_to("disk/qa")
    write_bundle(tmp_path / "qa")
    assert (tmp_path / "qa").is_symlink()
    assert Bundle.open(tmp_path / "disk/qa").manifest.task == TASK


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "qa").mkdir()
    write_bundle(tmp_path / "qa")
    assert names(tmp_path) == ["qa"]


def test_what_appears_in_the_place_meanwhile_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "qa"
    with pytest.raises(ConflictError, match="must stay as it was"), open_writer(out) as open_one:
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
        open_one.commit()
    assert tree(tmp_path) == {"qa/thesis.txt": b"mine"}
    (out / "thesis.txt").unlink()
    with pytest.raises(ConflictError, match="must stay as it was"), open_writer(out) as open_one:
        (out / "thesis.txt").write_text("mine")
        open_one.commit()
    assert tree(tmp_path) == {"qa/thesis.txt": b"mine"}


def test_a_bundle_that_is_moved_away_or_swapped_meanwhile_is_not_mixed_up(tmp_path: Path) -> None:
    out = write_bundle(tmp_path / "qa").path
    with pytest.raises(ConflictError, match="no directory in its place"), open_writer(out) as open_one:
        out.rename(tmp_path / "elsewhere")
        open_one.commit()
    shutil.copytree(tmp_path / "elsewhere", out)
    with pytest.raises(ConflictError, match="another directory in its place"), open_writer(out) as open_one:
        out.rename(tmp_path / "elsewhere too")
        shutil.copytree(tmp_path / "elsewhere", out)
        open_one.commit()
    assert Bundle.open(out).manifest.task == TASK


def test_a_writer_is_used_inside_its_block_and_until_it_is_done(tmp_path: Path) -> None:
    closed = open_writer(tmp_path / "qa")
    with pytest.raises(RuntimeError, match="inside its `with` block"):
        _ = closed.directory
    with closed as open_one:
        open_one.commit()
        for call in (open_one.commit, open_one.reject, open_one.candidate):
            with pytest.raises(RuntimeError, match="until commit"):
                call()
    with closed as again:
        assert again.previous is not None


def test_what_cannot_be_deleted_afterwards_is_logged_and_taken_by_the_next_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_bundle(tmp_path / "qa").path

    def refuse(path: object, *_: object, **__: object) -> None:
        raise OSError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        bundle = write_bundle(root, {"onnx/model.onnx": "second"})
    assert Bundle.open(root) == bundle
    assert "Permission denied" in caplog.text and len(names(tmp_path)) == 2
    write_bundle(root, {"onnx/model.onnx": "third"})
    assert names(tmp_path) == ["qa"]


def test_leftovers_of_other_bundles_are_not_touched(tmp_path: Path) -> None:
    for name in (".qa2.building-00000000", ".qa.building-00000000x", ".qa.building-0000", "qa.building-00000000"):
        (tmp_path / name).mkdir()
    before = names(tmp_path)
    (tmp_path / ".qa.building-0123abcd/onnx").mkdir(parents=True)
    write_bundle(tmp_path / "qa")
    assert names(tmp_path) == sorted([*before, "qa"])


def test_every_byte_is_on_the_disk_before_the_exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_bundle(tmp_path / "qa").path
    synced: list[Path] = []
    real_sync, real_exchange = os.fsync, writer.exchange

    def sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real_sync(descriptor)

    def swap(candidate: Path, destination: Path) -> None:
        kept = {candidate / "onnx/model.onnx"}  # hard-linked: its bytes have long been there
        assert {candidate, *candidate.rglob("*")} - kept == set(synced)
        synced.clear()
        real_exchange(candidate, destination)

    if not Path("/proc/self/fd").exists():
        pytest.skip("which file a descriptor belongs to can be read on Linux alone")
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(writer, "exchange", swap)
    write_bundle(root, {"onnx/model_unrolled.onnx": "other"})
    assert synced == [tmp_path]
