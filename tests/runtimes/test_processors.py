"""Processor limits, read from files written here in the kernel's form."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from albert_export.runtimes.processors import restricted_processors


@pytest.fixture(autouse=True)
def machine_of_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def restricted(root: Path, own: str = "0::/\n") -> int | None:
    (root / "self").write_text(own)
    return restricted_processors(root, root / "self")


def test_an_unrestricted_process_leaves_the_choice_to_the_runtime(tmp_path: Path) -> None:
    assert restricted(tmp_path) is None
    assert restricted_processors(tmp_path, tmp_path / "absent") is None


def test_affinity_restricts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 3}, raising=False)
    assert restricted(tmp_path) == 2


@pytest.mark.parametrize(
    ("line", "threads"),
    [
        ("max 100000", None),
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("1600000 100000", None),
        ("nonsense", None),
    ],
)
def test_a_version_2_quota_restricts(tmp_path: Path, line: str, threads: int | None) -> None:
    (tmp_path / "cpu.max").write_text(line)
    assert restricted(tmp_path) == threads


def test_the_tightest_group_around_the_process_counts(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (inner / "cpu.max").write_text("400000 100000")
    (inner.parent / "cpu.max").write_text("300000 100000")
    (tmp_path / "unrelated").mkdir()
    (tmp_path / "unrelated" / "cpu.max").write_text("100000 100000")
    assert restricted(tmp_path, "0::/outer/inner\n") == 3


def test_a_version_1_quota_restricts(tmp_path: Path) -> None:
    group = tmp_path / "cpu" / "box"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text("200000\n")
    (group / "cpu.cfs_period_us").write_text("100000\n")
    assert restricted(tmp_path, "4:memory:/box\n3:cpu,cpuacct:/box\n") == 2
    (group / "cpu.cfs_quota_us").write_text("-1\n")
    assert restricted(tmp_path, "3:cpu,cpuacct:/box\n") is None


def test_this_machine_can_be_asked() -> None:
    found = restricted_processors()
    assert found is None or 1 <= found < 8
