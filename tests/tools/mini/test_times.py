"""Times are kept beside what was made, and only where all of it was timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mini import times
from tools.mini.times import seconds_in, timed


@pytest.fixture
def took(monkeypatch: pytest.MonkeyPatch):
    """Set how long each next part takes."""
    moments: list[float] = []
    monkeypatch.setattr(times.time, "monotonic", lambda: moments.pop(0))

    def plan(*seconds: float) -> None:
        moments.extend(moment for own in seconds for moment in (100.0, 100.0 + own))

    return plan


def test_a_part_that_is_done_anew_is_timed_anew(took, tmp_path: Path) -> None:
    took(2.0, 5.5, 7.0)
    path = tmp_path / "seconds.json"
    assert seconds_in(path) == {}
    with timed(path, "texts"):
        pass
    with timed(path, "training"):
        pass
    with timed(path, "training"):
        pass
    assert seconds_in(path) == {"texts": 2.0, "training": 7.0}


def test_what_is_broken_off_and_goes_on_adds_up(took, tmp_path: Path) -> None:
    took(3.0, 4.0)
    path = tmp_path / "seconds.json"
    with pytest.raises(KeyboardInterrupt), timed(path, "texts"):
        raise KeyboardInterrupt
    with timed(path, "texts", goes_on=True):
        pass
    assert seconds_in(path) == {"texts": 7.0}


def test_the_rest_of_what_nobody_timed_is_not_told(took, tmp_path: Path) -> None:
    took(4.0)
    with timed(tmp_path / "seconds.json", "texts", goes_on=True):
        pass
    assert seconds_in(tmp_path / "seconds.json") == {}


def test_what_is_killed_on_the_way_leaves_no_time(took, tmp_path: Path) -> None:
    took(3.0, 4.0)
    path = tmp_path / "seconds.json"
    with timed(path, "texts"):
        assert seconds_in(path) == {}
    with timed(path, "texts", goes_on=True):
        assert seconds_in(path) == {}
    assert seconds_in(path) == {"texts": 7.0}
