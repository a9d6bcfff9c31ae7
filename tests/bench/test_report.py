"""Ratios, tables and JSON values of figures that are given."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from albert_export.bench.report import Errors, check_baseline
from albert_export.bench.shapes import Shape
from albert_export.errors import InputError, UnknownNameError
from tests.bench.fakes import measured, report

A, B = Shape(1, 16), Shape(8, 128, True)


def test_the_baseline_s_ratio_is_one_and_the_others_are_of_medians() -> None:
    first = measured("first", {"1x16": (0.010, 0.012, 0.030), "8x128p": (0.2,)})
    second = measured("second", {"1x16": (0.001, 0.006, 0.007), "8x128p": (0.4,)})
    both = report(first, second, shapes=(A, B))
    assert (both.ratio("first", "1x16"), both.ratio("first", "8x128p")) == (1.0, 1.0)
    assert (both.ratio("second", "1x16"), both.ratio("second", "8x128p")) == pytest.approx((0.5, 2.0))
    assert both.speed("first") == 1.0
    assert both.speed("second") == pytest.approx(1.0)  # twice as fast, and half as fast


def test_a_shape_that_only_one_runs_has_no_ratio() -> None:
    both = report(measured("first", {"1x16": (1.0,)}), measured("second", {"8x128p": (1.0,)}), shapes=(A, B))
    assert both.ratio("second", "8x128p") is None
    assert both.ratio("second", "1x16") is None
    assert both.speed("second") is None
    assert [line.split() for line in both.render().splitlines() if line.startswith("8x128p")] == [
        ["8x128p", "first", "-", "-", "-"],
        ["8x128p", "second", "1000.00", "1000.00", "-"],
    ]


def test_the_tables_hold_every_figure() -> None:
    one = measured("onnx/model.onnx", {"1x16": (0.010, 0.012, 0.030)}, error=2.5e-6)
    text = report(one, shapes=(A,), notes=("a word",)).render()
    assert text.splitlines()[0].split() == [
        "file",
        "MB",
        "load",
        "s",
        "idle",
        "MB",
        "resident",
        "MB",
        "peak",
        "MB",
        "error",
        "SNR",
        "dB",
        "speed",
    ]
    figures = ["11.7", "0.200", "50", "90", "120", "2.5e-06", "40", "1.00"]
    assert text.splitlines()[1].split() == ["onnx/model.onnx", *figures]
    assert text.splitlines()[-1] == "note: a word"
    assert ["1x16", "onnx/model.onnx", "10.00", "12.00", "1.00"] in [line.split() for line in text.splitlines()]


def test_without_errors_the_columns_are_empty() -> None:
    text = report(measured("x", {"1x16": (1.0,)}), shapes=(A,)).render()
    assert text.splitlines()[1].split()[-3:] == ["-", "-", "1.00"]


def test_json_values_are_in_seconds_and_bytes() -> None:
    one = measured("x", {"1x16": (0.010, 0.012, 0.030)}, error=2.5e-6)
    document = json.loads(json.dumps(report(one, shapes=(A, B)).to_dict()))
    assert document["shapes"][1] == {"name": "8x128p", "batch": 8, "sequence": 128, "padded": True}
    (fields,) = document["artifacts"]
    assert fields["memory"] == {"idle_bytes": 50_000_000, "resident_bytes": 90_000_000, "peak_bytes": 120_000_000}
    assert fields["latency"] == {
        "1x16": {
            "first_seconds": 1.0,
            "least_seconds": 0.010,
            "median_seconds": 0.012,
            "ratio": 1.0,
            "runs_seconds": [0.010, 0.012, 0.030],
        }
    }
    assert fields["load_seconds"] == [0.3, 0.2, 0.4]
    assert fields["error"]["largest"] == {"logits": 2.5e-6}
    assert (document["baseline"], fields["target"], fields["speed"]) == ("x", "onnx", 1.0)


def test_the_baseline_is_the_first_or_the_one_that_is_named() -> None:
    names = ["a", "b/c"]
    assert check_baseline(None, names, names) == "a"
    assert check_baseline("b/c", names, names) == check_baseline("./b//c", names, names) == "b/c"
    with pytest.raises(UnknownNameError, match="baseline must be one of a, b/c; received c"):
        check_baseline("c", names, names)


def test_a_baseline_is_timed() -> None:
    names = ["a", "b", "c"]
    assert check_baseline(None, names, ["b", "c"]) == "b"
    with pytest.raises(
        InputError, match="a baseline must take one of the shapes; received a; fix: name b or c, or add"
    ):
        check_baseline("a", names, ["b", "c"])


def test_without_a_signal_there_is_no_ratio_to_it() -> None:
    """An output that is the same whatever the input, as that of one place may be."""
    one = measured("x", {"1x16": (1.0,)}, error=2.5e-6)
    flat = dataclasses.replace(one, errors=Errors({"logits": 2.5e-6}, {"logits": None}, {"logits": 1e-7}))
    figures = report(flat, shapes=(A,))
    assert figures.render().splitlines()[1].split()[-3:] == ["2.5e-06", "-", "1.00"]
    assert figures.to_dict()["artifacts"][0]["error"]["snr_db"] == {"logits": None}


def test_an_infinite_error_is_told() -> None:
    figures = report(measured("x", {"1x16": (1.0,)}, error=math.inf), shapes=(A,))
    assert figures.render().splitlines()[1].split()[-3] == "inf"
