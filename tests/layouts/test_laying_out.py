"""What all layouts have in common: links, all or nothing, and errors that tell the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from albert_export.cli.layout_command import BACKENDS as SHOWN_BACKENDS
from albert_export.cli.layout_command import CONSUMERS as SHOWN
from albert_export.errors import AlbertExportError, BundleError, ConflictError, InputError, UnknownNameError
from albert_export.layouts import CONSUMERS, lay_out
from albert_export.layouts.consumers import FLAGS
from albert_export.layouts.triton import BACKENDS
from albert_export.layouts.web import PAGES, VENDORED
from tests.bundle.builders import names, tree
from tests.layouts.builders import write_full_bundle, write_packages

TASKS = {"mediapipe": "text-classification"}


def choices_for(consumer: str, tmp_path: Path) -> dict[str, Path]:
    """Return what a consumer needs beside the bundle."""
    return {"vendor": write_packages(tmp_path / "node_modules")} if consumer == "web" else {}


def test_the_command_line_shows_the_table() -> None:
    assert tuple(consumer.name for consumer in CONSUMERS) == SHOWN
    assert BACKENDS == SHOWN_BACKENDS
    assert {choice for consumer in CONSUMERS for choice in consumer.choices} == set(FLAGS)


@pytest.mark.parametrize("consumer", SHOWN)
def test_models_are_links_and_not_copies(tmp_path: Path, consumer: str) -> None:
    bundle = write_full_bundle(tmp_path / "b", task=TASKS.get(consumer, "question-answering"))
    laid_out = lay_out(bundle, consumer, tmp_path / "new" / "there", **choices_for(consumer, tmp_path))
    assert laid_out.files == tuple(tree(laid_out.directory))
    linked = {path.stat().st_ino for path in (tmp_path / "b").rglob("*") if path.is_file()}
    own = [file for file in laid_out.files if (laid_out.directory / file).stat().st_ino not in linked]
    texts = {
        "config.json",
        "models.config",
        "b/config.pbtxt",
        "assets/labels.txt",
        "site.json",
        *PAGES,
        *VENDORED.values(),
    }
    assert set(own) <= texts
    assert len(own) < len(laid_out.files)
    assert laid_out.size == sum(map(len, tree(laid_out.directory).values()))
    assert names(tmp_path / "new") == ["there"]


@pytest.mark.parametrize("consumer", SHOWN)
def test_the_bundle_stays_as_it_was(tmp_path: Path, consumer: str) -> None:
    bundle = write_full_bundle(tmp_path / "b", task=TASKS.get(consumer, "question-answering"))
    before = tree(bundle.path)
    lay_out(tmp_path / "b", consumer, tmp_path / "out", **choices_for(consumer, tmp_path))
    assert tree(bundle.path) == before
    bundle.verify()


def test_a_copy_where_links_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    bundle = write_full_bundle(tmp_path / "b")
    monkeypatch.setattr(Path, "hardlink_to", refused)
    lay_out(bundle, "sparknlp", tmp_path / "out")
    model = tmp_path / "out" / "model.onnx"
    assert model.read_bytes() == (tmp_path / "b" / "onnx" / "model.onnx").read_bytes()
    assert model.stat().st_nlink == 1


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    lay_out(write_full_bundle(tmp_path / "b"), "sparknlp", tmp_path / "out")
    assert (tmp_path / "out" / "model.onnx").is_file()


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_is_there_is_never_replaced(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine.txt").write_text("mine")
    before = out.read_text() if kind == "file" else tree(out)
    with pytest.raises(ConflictError, match="must be absent or empty"):
        lay_out(write_full_bundle(tmp_path / "b"), "sparknlp", out)
    assert (out.read_text() if kind == "file" else tree(out)) == before


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = write_full_bundle(tmp_path / "b")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BundleError, match="disk full"):
        lay_out(bundle, "transformersjs", tmp_path / "new" / "out")
    assert names(tmp_path) == ["b"]


def test_a_damaged_bundle_is_not_handed_on(tmp_path: Path) -> None:
    write_full_bundle(tmp_path / "b")
    (tmp_path / "b" / "onnx" / "model.onnx").write_bytes(b"something else")
    with pytest.raises(BundleError):
        lay_out(tmp_path / "b", "transformersjs", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "consumer", "task", "choices", "told"),
    [
        (UnknownNameError, "tritn", "question-answering", {}, "did you mean triton or"),
        (InputError, "mediapipe", "question-answering", {}, "MediaPipe has a reader for text-classification"),
        (InputError, "transformersjs", "multiple-choice", {}, "received a bundle for multiple-choice"),
        (InputError, "sparknlp", "question-answering", {"max_batch_size": 8}, "received --max-batch-size"),
        (InputError, "triton", "question-answering", {"name": "../qa"}, "give one with --name"),
        (InputError, "tfserving", "question-answering", {"name": "a b"}, "received a b"),
        (InputError, "web", "fill-mask", {}, "received a bundle for fill-mask"),
    ],
)
def test_errors_tell_the_fix(
    tmp_path: Path, kind: type[AlbertExportError], consumer: str, task: str, choices: dict[str, object], told: str
) -> None:
    bundle = write_full_bundle(tmp_path / "b", task=task)
    with pytest.raises(kind) as caught:
        lay_out(bundle, consumer, tmp_path / "out", **choices)
    assert told in str(caught.value)
    assert not (tmp_path / "out").exists()
