"""Making an artifact once more in a bundle that is being written."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from albert_export.artifact_making import ArtifactMaker
from albert_export.bundle import Bundle, BundleWriter
from albert_export.graphs.emitted import Emitted
from albert_export.graphs.sharing import Sharing
from albert_export.targets import get_target
from albert_export.tasks import get_task
from tests.bundle.builders import SOURCE, TASK, fill, tree


def emit(_model: Any, _task: Any, path: Path, *, parts: tuple[str, ...] = (), **_: Any) -> Emitted:
    """Stand in for an emitter that writes a second file beside the first, as that of StableHLO does."""
    beside = path.with_name("beside.bin")
    for each in (path, beside):
        each.write_bytes(f"{each.name} with {parts}".encode())
    return Emitted((path, beside), None, (), (), Sharing(1, 1, 0), {}, {}, {}, {"ffn": 1})


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with one such artifact."""
    monkeypatch.setattr(ArtifactMaker, "_load", lambda _, quiet: (None, []))
    with BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE) as writer:
        fill(writer, {})
        maker(writer).make()
        writer.commit()
    return tmp_path / "qa"


def maker(writer: BundleWriter) -> ArtifactMaker:
    target = dataclasses.replace(get_target("stablehlo"), emitter=f"{__name__}:emit")
    checkpoint: Any = SimpleNamespace(source=SOURCE)
    return ArtifactMaker(
        writer,
        checkpoint,
        target,
        get_task(TASK),
        form="",
        precision="fp32",
        layers="rolled",
        sizes={},
        allow_random_head=False,
        options={},
        facts={},
        say=lambda _: None,
    )


def test_what_is_made_again_after_its_proof_leaves_the_old_bundle_as_it_was(made: Path) -> None:
    before = tree(made)
    with BundleWriter(made, task=TASK, source=SOURCE) as writer:
        again = maker(writer)
        file = again.make().file
        beside = (Path(file).parent / "beside.bin").as_posix()
        writer.candidate()  # which parity runs: the files that are the same are the old ones
        assert (writer.directory / beside).samefile(made / beside)
        again.make(["ffn"])
        assert (writer.directory / beside).read_bytes() == b"beside.bin with ('ffn',)"
        assert tree(made) == before
    assert tree(made) == before
    assert Bundle.open(made).manifest.artifacts[0].file == file


def test_what_is_made_again_takes_the_place_of_what_was_made_first(made: Path) -> None:
    with BundleWriter(made, task=TASK, source=SOURCE) as writer:
        again = maker(writer)
        again.make()
        writer.candidate()
        again.make(["ffn"])
        bundle = writer.commit()
    (artifact,) = bundle.manifest.artifacts
    assert {(made / record.path).read_bytes().split(b" with ")[1] for record in artifact.files} == {b"('ffn',)"}
