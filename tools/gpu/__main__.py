"""Run ``python -m tools.gpu --help``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from albert_export.doctor import examine
from albert_export.targets import PRECISIONS
from albert_export.tasks import TASKS, get_task
from tools.gpu.driver import Settings, drive
from tools.gpu.machine import look, machine_facts
from tools.gpu.plan import WAYS, usable
from tools.gpu.report import complete, markdown
from tools.gpu.workers import end_workers_with_this

_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SEQUENCES = (32, 64, 128, 256, 512)

_EXIT_FAILED, _EXIT_NOTHING = 1, 2


def main() -> int:
    """Look, check, time, report; exit code 1 where something failed, 2 where there was nothing to check on."""
    arguments = _parser().parse_args()
    end_workers_with_this()
    dry = arguments.dry_run
    device = "cpu" if dry else "cuda"

    def say(line: str) -> None:
        print(line, flush=True)

    diagnosis = examine()
    for part in diagnosis.nvidia:
        say(str(part))
    here = look(diagnosis, device)
    ways, skipped = usable(here)
    if not ways:
        for each in skipped:
            say(f"skipped: {each.what}: {each.why}")
        print("error: nothing here can be checked on a GPU; fix: see above, or try --dry-run", file=sys.stderr)
        return _EXIT_NOTHING
    from albert_export.config import AlbertConfig
    from benchmarks.seeded_checkpoint import write_checkpoint

    with tempfile.TemporaryDirectory(dir=arguments.scratch) as directory:
        scratch = Path(directory)
        size = "tiny" if dry else arguments.size
        timed = scratch / "timed"
        write_checkpoint(size, timed)
        settings = Settings(
            device=device,
            tasks=tuple(get_task(name).name for name in arguments.tasks or [task.name for task in TASKS]),
            precisions=tuple(arguments.precisions),
            batches=tuple(arguments.batches or ((1, 2) if dry else _BATCHES)),
            sequences=tuple(arguments.sequences or ((16,) if dry else _SEQUENCES)),
            checked_model=str(timed) if dry else arguments.model,
            timed_model=str(timed),
            allow_random_head=dry,
            scratch=scratch,
            seconds=0.05 if dry else arguments.seconds,
            minutes=arguments.minutes,
            peak_sizes=(128, 256) if dry else (4096, 8192, 16384),
            ways=None if arguments.ways is None else tuple(arguments.ways),
        )
        found = drive(here, settings, say)
        config = AlbertConfig.from_json_file(timed / "config.json")
    report = complete(
        {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": dict(machine_facts(diagnosis)),
            "device": device,
            "model": f"albert-{size}",
            "settings": {name: getattr(settings, name) for name in ("tasks", "precisions", "batches", "sequences")},
            **asdict(found),
        },
        config,
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "gpu-report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (arguments.out / "gpu-report.md").write_text(markdown(report), encoding="utf-8")
    passed = sum(check["ok"] for check in found.checks)
    say(
        f"{passed} of {found.planned} checks passed, {len(found.checks) - passed} failed, "
        f"{len(found.skipped)} parts skipped"
    )
    say(f"written: {arguments.out / 'gpu-report.md'} and gpu-report.json")
    return 0 if report["ok"] else _EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.gpu", description="Check and time everything on this GPU.")
    parser.add_argument(
        "--out", type=Path, default=Path("gpu-report"), help="folder of the report (default: %(default)s)"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="time for all of it (default: %(default)s)")
    parser.add_argument("--model", default="albert-mini", help="what is checked (default: %(default)s)")
    parser.add_argument("--size", choices=["base", "large", "xlarge", "xxlarge"], default="base", help="what is timed")
    parser.add_argument("--tasks", nargs="+", metavar="TASK", help="heads; all by default")
    parser.add_argument("--precisions", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--ways", nargs="+", choices=[way.name for way in WAYS], help="what runs it; all by default")
    parser.add_argument("--batches", nargs="+", type=int, help="rows that are timed; 1 to 256 by default")
    parser.add_argument("--sequences", nargs="+", type=int, help="tokens that are timed; 32 to 512 by default")
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each shape (default: %(default)s)")
    parser.add_argument("--scratch", type=Path, help="where artifacts go; the system's temporary folder by default")
    parser.add_argument("--dry-run", action="store_true", help="try all of it on the CPU, with a tiny model")
    return parser


if __name__ == "__main__":
    sys.exit(main())
