"""Times are kept over runs, of what was finished."""

from __future__ import annotations

import pytest

from tools.mini import times
from tools.mini.times import Times


def test_parts_add_up_and_what_breaks_off_counts_for_nothing(tmp_path, monkeypatch):
    clock = iter([0.0, 2.0, 10.0, 15.5, 20.0, 99.0, 100.0, 101.0])
    monkeypatch.setattr(times.time, "monotonic", lambda: next(clock))
    path = tmp_path / "run" / "seconds.json"
    assert Times(path).seconds() == {}
    with Times(path).of("texts"):
        pass
    with Times(path).of("training"):
        pass
    with pytest.raises(KeyboardInterrupt), Times(path).of("training"):
        raise KeyboardInterrupt
    assert Times(path).seconds() == {"texts": 2.0, "training": 5.5}
    with Times(path).of("texts"):
        assert next(clock) == 100.0
    assert Times(path).seconds() == {"texts": 4.0, "training": 5.5}
