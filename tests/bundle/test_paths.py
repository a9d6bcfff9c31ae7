from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert_export.bundle.paths import check_relative_path, inside
from albert_export.errors import IntegrityError

GOOD = ["config.json", "onnx/model.onnx", "saved_model/1/variables/variables.data-00000-of-00001", "ü/名.onnx", "a b.c"]
BAD = [
    "",
    "/etc/passwd",
    "..",
    "../x",
    "a/../b",
    "a/..",
    "./a",
    "a/.",
    "a//b",
    "a/",
    "a\\b",
    "\\\\host\\share",
    "C:/x",
    "C:x",
    "file:stream",
    ".. ",
    ".../x",
    "a./b",
    "a /b",
    "nul",
    "onnx/CON",
    "aux.onnx",
    "COM1.txt",
    "a\0b",
    "a\nb",
    "a\x7fb",
    "a*b",
    'a"b',
    "a<b",
    "a|b",
    "a\ud800b",
]


@pytest.mark.parametrize("path", GOOD)
def test_a_relative_path_is_returned_as_it_is(path: str) -> None:
    assert check_relative_path(path) == path


@pytest.mark.parametrize("path", [*BAD, None, 3, b"config.json", Path("config.json")])
def test_a_path_that_could_leave_the_bundle_is_refused_in_one_line(path: object) -> None:
    with pytest.raises(IntegrityError) as caught:
        check_relative_path(path)
    assert "\n" not in str(caught.value)
    assert "must be relative" in str(caught.value)


@given(st.text(alphabet=st.sampled_from("ab./\\: \0~C"), max_size=12) | st.text(max_size=12))
def test_no_accepted_path_leaves_a_directory_on_posix_or_windows(path: str) -> None:
    try:
        check_relative_path(path)
    except IntegrityError:
        return
    assert os.path.normpath(f"/bundle/{path}") == f"/bundle/{path}"
    assert not PureWindowsPath(path).anchor
    assert PureWindowsPath(path).parts == PurePosixPath(path).parts
    assert ".." not in [part.rstrip(". ") for part in path.split("/")]
    assert all(part.rstrip(". ") for part in path.split("/"))


def test_a_link_inside_the_bundle_is_followed_and_one_out_of_it_refused(tmp_path: Path) -> None:
    root = Path(os.path.realpath(tmp_path)) / "qa"
    (root / "onnx").mkdir(parents=True)
    (root / "onnx/model.onnx").write_bytes(b"x")
    (root / "onnx/model_quantized.onnx").symlink_to("model.onnx")
    (root.parent / "secret").mkdir()
    (root / "away").symlink_to("../secret")
    (root / "loop").symlink_to("loop")
    assert inside(root, "onnx/model_quantized.onnx") == root / "onnx/model_quantized.onnx"
    for path in ("away", "away/file"):
        with pytest.raises(IntegrityError, match="may lead out of it"):
            inside(root, path)
    assert inside(root, "loop") == root / "loop"  # it leads nowhere, so not out


def test_a_sibling_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    root = Path(os.path.realpath(tmp_path)) / "qa"
    root.mkdir()
    (root.parent / "qa2").write_bytes(b"x")
    (root / "link").symlink_to("../qa2")
    with pytest.raises(IntegrityError, match="may lead out of it"):
        inside(root, "link")
