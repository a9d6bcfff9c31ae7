"""Memory of a process, asked of the system."""

from __future__ import annotations

import subprocess
import sys

from albert_export.bench.memory import peak_bytes, resident_bytes


def test_what_is_touched_is_resident_and_what_is_freed_stays_in_the_peak() -> None:
    code = (
        "from albert_export.bench.memory import peak_bytes, resident_bytes\n"
        "before = resident_bytes()\n"
        "data = b'x' * 50_000_000\n"
        "held = resident_bytes()\n"
        "del data\n"
        "print(before, held, resident_bytes(), peak_bytes())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, held, after, peak = map(int, done.stdout.split())
    assert 0 < before < 45_000_000, "the peak of the process that started this one is not in it"
    assert held - before > 49_000_000
    assert after < held - 40_000_000
    # The kernel counts in steps: the two lie some pages apart.
    assert held - 1_000_000 < peak < held + 20_000_000


def test_this_process_holds_something() -> None:
    assert 1_000_000 < resident_bytes() < 1_000_000 + peak_bytes()
