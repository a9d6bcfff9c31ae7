"""``docs/bundle.md`` describes the format that the code reads and writes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from albert_export.bundle import SCHEMA_VERSION, Artifact, Manifest, manifest

PAGE = (Path(__file__).parents[2] / "docs/bundle.md").read_text(encoding="utf-8")


def test_the_example_is_a_manifest() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    read = Manifest.from_json(example)
    assert read.artifacts[0].file == "onnx/model.onnx"
    assert read.schema_version == SCHEMA_VERSION


def test_every_field_has_its_row() -> None:
    told = "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))
    fields = [*dataclasses.fields(Manifest), *dataclasses.fields(Artifact)]
    missing = [field.name for field in fields if not re.search(rf"[`.]{field.name}`", told)]
    assert missing == []


def test_the_history_is_that_of_the_code() -> None:
    row = r"^\|? *(\d+) +(?:\| )?(\d{4}-\d\d-\d\d) "
    assert re.findall(row, PAGE, re.MULTILINE) == re.findall(row, manifest.__doc__ or "", re.MULTILINE)
