"""What the HDF5 library writes to: a file as any other, until an error, which the library must never meet."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert_export.checkpoints.h5_target import H5Target, errors_kept_from_library

STEPS = st.one_of(
    st.tuples(st.just("write"), st.binary(max_size=9)),
    st.tuples(st.just("read"), st.integers(-1, 9)),
    st.tuples(st.just("seek"), st.integers(0, 20), st.sampled_from([os.SEEK_SET, os.SEEK_END])),
    st.tuples(st.just("truncate"), st.integers(0, 20)),
    st.tuples(st.just("tell")),
    st.tuples(st.just("flush")),
)


class Full(io.BytesIO):
    def write(self, data: Any) -> int:
        raise OSError(28, "No space left on device")


@given(st.lists(STEPS))
def test_it_is_a_file_as_any_other(steps: list[tuple[Any, ...]]) -> None:
    plain, inner = io.BytesIO(), io.BytesIO()
    target = H5Target(inner)
    for name, *arguments in steps:
        expected = getattr(plain, name)(*arguments)
        if name == "truncate" and len(plain.getvalue()) < arguments[0]:
            plain.seek(0, os.SEEK_END)  # a file grows, which BytesIO does not
            plain.write(bytes(arguments[0] - plain.tell()))
            plain.seek(target.tell())
            inner.seek(0, os.SEEK_END)
            inner.write(bytes(arguments[0] - inner.tell()))
        assert getattr(target, name)(*arguments) == expected
    assert inner.getvalue() == plain.getvalue()


@pytest.mark.parametrize("use", [lambda target: target.write(b"abc"), lambda target: target.write(memoryview(b"abc"))])
def test_an_error_is_told_when_the_library_is_done(use: Callable[[H5Target], int]) -> None:
    with pytest.raises(OSError, match="No space left"), errors_kept_from_library(Full()) as target:
        assert use(target) == 3
        assert target.seek(0, os.SEEK_END) == 3
        target.seek(0)
        assert target.read(2) == b"\0\0"
        assert (target.truncate(1), target.tell()) == (1, 2)
        target.flush()
        assert target.error is not None


def test_another_error_passes_through() -> None:
    with pytest.raises(KeyError), errors_kept_from_library(io.BytesIO()) as target:
        target.write(b"abc")
        raise KeyError("mine")
