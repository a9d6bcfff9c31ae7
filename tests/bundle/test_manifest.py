from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.bundle import SCHEMA_VERSION, FileRecord, Manifest, manifest
from albert_export.checkpoints import Source
from albert_export.errors import BundleError, IntegrityError
from tests.bundle.builders import SOURCE, TASK, artifact

HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-_0123456789", min_size=1, max_size=8).filter(
    lambda name: not re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)", name)
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=3)
TENSORS = st.fixed_dictionaries(
    {"name": NAMES, "dtype": NAMES, "shape": st.lists(st.integers(0, 9) | NAMES, max_size=3)}
)
SOURCES = st.builds(
    Source, st.sampled_from(["directory", "hub", "builtin"]), NAMES | st.just("owner/name"), st.none() | NAMES, HASHES
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    paths = draw(st.lists(st.lists(NAMES, min_size=2, max_size=3).map("/".join), unique=True, max_size=6))
    # No file lies below another: every path gets a folder of its own.
    records = [FileRecord(f"{i}/{path}", draw(HASHES), draw(st.integers(0, 2**40))) for i, path in enumerate(paths)]
    cut = draw(st.integers(0, len(records)))
    artifacts = tuple(
        artifact(
            record.path,
            (record,),
            target=draw(NAMES),
            precision=draw(NAMES),
            layers=draw(st.sampled_from(["rolled", "unrolled"])),
            shapes=draw(st.dictionaries(NAMES, st.none() | st.integers(1, 512), max_size=3)),
            opset=draw(st.none() | st.integers(1, 30)),
            inputs=tuple(draw(st.lists(TENSORS, max_size=2))),
            outputs=tuple(draw(st.lists(TENSORS, max_size=2))),
            sharing=draw(OBJECTS),
            versions=draw(st.dictionaries(NAMES, NAMES, max_size=2)),
            facts=draw(OBJECTS),
            parity=draw(st.none() | OBJECTS),
        )
        for record in records[cut:]
    )
    return Manifest(SCHEMA_VERSION, draw(NAMES), draw(NAMES), draw(SOURCES), tuple(records[:cut]), artifacts)


def example(**changes: Any) -> Manifest:
    weights = FileRecord("onnx/model.onnx.data", "1" * 64, 5)
    model = FileRecord("onnx/model.onnx", "2" * 64, 7)
    config = FileRecord("config.json", "3" * 64, 2)
    fields: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "tool": "0.1.0",
        "task": TASK,
        "source": SOURCE,
        "files": (config,),
        "artifacts": (artifact("onnx/model.onnx", (weights, model)),),
    }
    return Manifest(**{**fields, **changes})


def edited(edit: Callable[[dict[str, Any]], None]) -> str:
    data = json.loads(example().to_json())
    edit(data)
    return json.dumps(data)


@settings(deadline=None, max_examples=60)
@given(manifests())
def test_a_manifest_survives_the_way_to_json_and_back(written: Manifest) -> None:
    text = written.to_json()
    read = Manifest.from_json(text)
    assert read == written
    assert read.to_json() == text
    assert Manifest.from_json(text.encode()) == written


def test_the_text_is_canonical_whatever_the_order_of_its_parts() -> None:
    first = example()
    model = first.artifacts[0]
    other = artifact("onnx/model_unrolled.onnx", (FileRecord("onnx/model_unrolled.onnx", "4" * 64, 1),))
    tokens = FileRecord("tokenizer.json", "5" * 64, 1)
    backwards = dataclasses.replace(
        first,
        files=(tokens, *first.files),
        artifacts=(
            other,
            dataclasses.replace(model, files=model.files[::-1], facts=dict(reversed([("b", 1), ("a", 2)]))),
        ),
    )
    forwards = dataclasses.replace(
        first, files=(*first.files, tokens), artifacts=(dataclasses.replace(model, facts={"a": 2, "b": 1}), other)
    )
    assert backwards.to_json() == forwards.to_json()
    assert backwards == forwards
    assert forwards.to_json().startswith('{\n  "artifacts": [\n') and forwards.to_json().endswith("}\n")


def test_numpy_numbers_tuples_and_figures_that_are_no_numbers_become_json() -> None:
    parity = {"e0": np.float32(0.5), "cases": np.int64(3), "shape": (1, 2), "max_error": math.nan, "scale": math.inf}
    made = example(artifacts=(artifact("m.onnx", (FileRecord("m.onnx", "2" * 64, 7),), parity=parity),))
    read = Manifest.from_json(made.to_json()).artifacts[0].parity
    assert read == {"e0": 0.5, "cases": 3, "shape": [1, 2], "max_error": "nan", "scale": "inf"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({1: 2}, "strings for keys"),
        ({"a": b"x"}, "facts.a"),
        ({"a": [object()]}, r"facts.a\[0\]"),
        ({"a": "\ud800"}, "UTF-8"),
    ],
)
def test_facts_that_are_no_json_are_refused_by_name(value: Any, told: str) -> None:
    with pytest.raises(BundleError, match=told):
        artifact("m.onnx", (FileRecord("m.onnx", "2" * 64, 7),), facts=value)


def test_records_lists_every_file_once() -> None:
    shared = FileRecord("onnx/model.onnx.data", "1" * 64, 5)
    files = {name: FileRecord(name, "2" * 64, 7) for name in ("onnx/a.onnx", "onnx/b.onnx")}
    made = example(artifacts=tuple(artifact(name, (record, shared)) for name, record in files.items()))
    assert sorted(record.path for record in made.records()) == sorted([*files, "config.json", shared.path])


BROKEN: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda m: m.update(schema_version=SCHEMA_VERSION + 1), "install a newer release"),
    (lambda m: m.update(schema_version=0), "schema_version must be at least 1"),
    (lambda m: m.update(schema_version="1"), "schema_version"),
    (lambda m: m.update(schema_version=True), "schema_version"),
    (lambda m: m.pop("schema_version"), "with a schema_version; received 'none'"),
    (lambda m: m.pop("task"), "lacks task"),
    (lambda m: m.update(colour="red"), "has unknown colour"),
    (lambda m: m.update(task=""), "task must be a name"),
    (lambda m: m.update(tool=3), "tool must be a name"),
    (lambda m: m.update(source="tiny"), "source must be an object"),
    (lambda m: m["source"].update(kind="ftp"), "source.kind must be one of"),
    (lambda m: m["source"].update(name="/srv/models/tiny"), "source.name must not be an absolute path"),
    (lambda m: m["source"].update(name="C:\\tiny"), "source.name must not be an absolute path"),
    (lambda m: m["source"].update(sha256="ABC"), "sha256 of source"),
    (lambda m: m["source"].update(revision=7), "source.revision must be a name"),
    (lambda m: m.update(files={}), "files must be a list"),
    (lambda m: m["files"].append(3), "files[1] must be an object"),
    (lambda m: m["files"].append(m["files"][0]), "must list each file once"),
    (lambda m: m["files"][0].update(size=-1), "files[0]: size of config.json"),
    (lambda m: m["files"][0].update(size=1.5), "files[0]: size of config.json"),
    (lambda m: m["files"][0].update(sha256="0" * 63), "files[0]: sha256 of config.json"),
    (lambda m: m["files"][0].update(path="manifest.json"), "cannot be listed in itself"),
    (lambda m: m["files"][0].update(path="Manifest.JSON/x"), "cannot be listed in itself"),
    (lambda m: m["files"][0].update(path="onnx"), "below another file"),
    (lambda m: m["files"][0].update(path="ONNX/Model.onnx"), "one hash and size"),
    (lambda m: m.update(artifacts="x"), "artifacts must be a list"),
    (lambda m: m.update(artifacts=[3]), "artifacts[0] must be an object"),
    (lambda m: m["artifacts"].append(m["artifacts"][0]), "a file of its own"),
    (lambda m: m["artifacts"][0].pop("opset"), "artifacts[0] must have the fields"),
    (lambda m: m["artifacts"][0].update(layers="curled"), "artifacts[0]: layers must be"),
    (lambda m: m["artifacts"][0].update(file="onnx/other.onnx"), "artifacts[0]: file must be one of files"),
    (lambda m: m["artifacts"][0].update(files=[]), "artifacts[0]: file must be one of files"),
    (lambda m: m["artifacts"][0].update(shapes={"batch": 0}), "shapes.batch must be a size or null"),
    (lambda m: m["artifacts"][0].update(shapes=[]), "shapes must be an object"),
    (lambda m: m["artifacts"][0].update(opset="20"), "opset must be"),
    (lambda m: m["artifacts"][0].update(inputs={}), "inputs must be a list"),
    (lambda m: m["artifacts"][0].update(inputs=[{}]), "inputs must have name, dtype and shape"),
    (lambda m: m["artifacts"][0]["inputs"][0].update(shape=["batch", None]), "inputs.shape"),
    (lambda m: m["artifacts"][0]["outputs"][0].update(dtype=""), "outputs.dtype must be a name"),
    (lambda m: m["artifacts"][0].update(versions={"onnx": 1}), "versions.onnx must be text"),
    (lambda m: m["artifacts"][0].update(facts=None), "facts must be an object"),
    (lambda m: m["artifacts"][0].update(parity=[1]), "parity must be an object"),
]


@pytest.mark.parametrize(("edit", "told"), BROKEN)
def test_a_broken_field_is_named_in_one_line_with_a_fix(edit: Callable[[dict[str, Any]], object], told: str) -> None:
    with pytest.raises(BundleError, match=re.escape(told)) as caught:
        Manifest.from_json(edited(edit))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert "fix: " in str(caught.value)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "C:\\x", "a/../../b"])
def test_a_path_out_of_the_bundle_is_an_integrity_error(path: str) -> None:
    with pytest.raises(IntegrityError, match=r"files\[0\]: a path of a bundle must be relative"):
        Manifest.from_json(edited(lambda m: m["files"][0].update(path=path)))
    with pytest.raises(IntegrityError, match=r"artifacts\[0\]"):
        Manifest.from_json(edited(lambda m: m["artifacts"][0].update(file=path)))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", "3", "null", "\ufeff{}", '{"schema_version": NaN}', "[" * 100_000, b"\xff\xfe\x00", b"\x80"],
)
def test_text_that_is_no_manifest_is_refused_in_one_line(text: str | bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json must be") as caught:
        Manifest.from_json(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_edit_of_a_valid_manifest_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    document: Any = json.loads(example().to_json())
    place = document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    try:
        read = Manifest.from_json(json.dumps(document))
    except BundleError as error:
        assert "\n" not in str(error)
    else:
        assert Manifest.from_json(read.to_json()) == read


def test_an_older_schema_version_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def to_two(data: dict[str, Any]) -> dict[str, Any]:
        assert data["schema_version"] == 1
        return {**data, "tool": data["tool"] + "+two"}

    def to_three(data: dict[str, Any]) -> dict[str, Any]:
        assert data["schema_version"] == 2
        return {**data, "tool": data["tool"] + "+three"}

    text = example().to_json()
    monkeypatch.setattr(manifest, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(manifest, "MIGRATIONS", {1: to_two, 2: to_three})
    read = Manifest.from_json(text)
    assert (read.schema_version, read.tool) == (3, "0.1.0+two+three")


def test_every_schema_version_that_can_be_read_has_its_row_in_the_history() -> None:
    rows = re.findall(r"^(\d+) +\d{4}-\d\d-\d\d ", manifest.__doc__ or "", re.MULTILINE)
    assert sorted(map(int, rows)) == [*sorted(manifest.MIGRATIONS), SCHEMA_VERSION]
