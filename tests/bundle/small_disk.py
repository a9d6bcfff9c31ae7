"""Writes bundles to a disk that really is full, or read-only; run as a program of its own.

It mounts a small file system in memory, so it runs in a mount namespace of its own (``unshare``).

Prints JSON: how often the write succeeded and how often it was refused, over every amount of room left; what a
read-only disk answered; and everything that should not have been.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from albert_export.bundle import Bundle, BundleWriter
from albert_export.bundle.exchange import replaced_path
from albert_export.errors import BundleError
from tests.bundle.builders import SOURCE, TASK, artifact, fill, names, onnx_bytes, write_bundle

PAGE = 4096
WEIGHTS = 5 * PAGE


def write_large(out: Path) -> None:
    with BundleWriter(out, task=TASK, source=SOURCE) as writer:
        fill(writer, {})
        model = writer.write_bytes("onnx/model.onnx", onnx_bytes("second"))
        # As an emitter writes: into the directory, without help.
        (writer.directory / "onnx/weights.data").write_bytes(b"w" * WEIGHTS)
        writer.put_artifact(artifact("onnx/model.onnx", (model, writer.record("onnx/weights.data"))))
        writer.commit()


def main(mount_point: Path) -> dict[str, Any]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount_point)], check=True)
    results: dict[str, Any] = {"written": 0, "refused": 0, "problems": []}
    for room in range(WEIGHTS // PAGE + 8):
        out = mount_point / str(room) / "qa"
        write_bundle(out)
        filler = mount_point / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"f" * PAGE)
            except OSError:
                size = file.tell()
        with filler.open("r+b") as file:
            file.truncate(max(0, size - room * PAGE))
        try:
            write_large(out)
            results["written"] += 1
            expected = "second"
        except BundleError as error:
            results["refused"] += 1
            expected = "first"
            if "disk full while writing the bundle" not in str(error) or "\n" in str(error):
                results["problems"].append(f"{room} pages: {error!r}")
        filler.unlink()
        bundle = Bundle.open(out)
        if not bundle.file(bundle.select()).read_bytes().endswith(expected.encode()):
            results["problems"].append(f"{room} pages: not the {expected} bundle")
        if names(out.parent) != ["qa"]:
            results["problems"].append(f"{room} pages: {names(out.parent)} were left")
        for path in sorted(out.parent.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    results["read_only"] = read_only(mount_point)
    return results


def read_only(mount_point: Path) -> list[str]:
    """What a read-only disk answers to writing, and to opening a half-exchanged bundle; opening a whole one works."""
    whole = write_bundle(mount_point / "whole").path
    half = write_bundle(mount_point / "half").path
    half.rename(replaced_path(half))
    subprocess.run(["mount", "-o", "remount,ro", str(mount_point)], check=True)
    Bundle.open(whole)
    answers = []
    for attempt in (lambda: write_bundle(whole), lambda: write_bundle(mount_point / "new"), lambda: Bundle.open(half)):
        try:
            attempt()
        except BundleError as error:
            answers.append(str(error))
    return answers


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
