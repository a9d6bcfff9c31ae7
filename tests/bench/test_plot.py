"""The picture, and what is checked before anything is measured."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from albert_export.bench.plot import check_plot, draw
from albert_export.bench.shapes import Shape
from albert_export.errors import InputError, MissingDependencyError
from tests.bench.fakes import measured, report

SHAPES = (Shape(1, 16), Shape(1, 128), Shape(8, 128), Shape(8, 128, True))
TIMES = {"1x16": (0.01,), "1x128": (0.1,), "8x128": (0.8,), "8x128p": (0.7,)}


@pytest.mark.parametrize("errors", [(1e-6, 0.02), (None, None), (0.0, 1.0), (math.inf, 1.0), (math.inf, None)])
def test_a_picture_is_written(tmp_path: Path, errors: tuple[float | None, float | None]) -> None:
    both = report(
        measured("fp32", TIMES, error=errors[0]), measured("int8", {"1x16": (0.005,)}, error=errors[1]), shapes=SHAPES
    )
    draw(both, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    infinite = report(measured("fp32", TIMES, error=1e-6), measured("int8", TIMES, error=math.inf), shapes=SHAPES)
    draw(infinite, tmp_path / "infinite.svg")
    assert "<!-- int8 (infinite error) -->" in (tmp_path / "infinite.svg").read_text(encoding="utf-8")
    apart = measured("fp32", {"1x16": (0.01,)}), measured("int8", {"1x128": (0.05,)}, error=1e-6)
    nothing = report(*apart, shapes=SHAPES)
    draw(nothing, tmp_path / "nothing.svg")
    assert "<!-- nothing to compare -->" in (tmp_path / "nothing.svg").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("error")
def test_many_artifacts_leave_room_for_the_curves(tmp_path: Path) -> None:
    """A legend within axes of fifteen artifacts once made these collapse, of which matplotlib only warns."""
    many = report(
        *(measured(f"an artifact with a long name, {n}", TIMES, error=1e-6) for n in range(24)), shapes=SHAPES
    )
    draw(many, tmp_path / "many.svg")
    written = (tmp_path / "many.svg").read_text(encoding="utf-8")
    assert all(f"<!-- an artifact with a long name, {n} -->" in written for n in range(24))


def test_another_form_is_refused() -> None:
    with pytest.raises(InputError, match=r"a picture must be one of \.png, \.svg, \.pdf; received bench\.txt"):
        check_plot(Path("bench.txt"))


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    check = pytest.raises(MissingDependencyError, match=r"pip install 'albert-export\[plot\]'")
    with monkeypatch.context() as patch, check:
        patch.setattr("importlib.import_module", _missing)
        check_plot(Path("bench.png"))


def _missing(name: str) -> None:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
