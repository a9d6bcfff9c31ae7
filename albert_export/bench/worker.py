"""The process that measures one artifact of a bundle; see :mod:`albert_export.bench.serving`.

To ``load`` it takes ``bundle`` (the directory), ``file`` (the artifact), ``device``, ``threads`` and ``runtime``
(null for the target's own).
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from albert_export._imports import resolve
from albert_export.bench.serving import Loaded, serve
from albert_export.bundle import Bundle
from albert_export.runtimes.choosing import choose_runtime

#: What of a runtime's own description is told: nothing of it is a path.
_TOLD = ("device", "reason", "computes_in", "threads", "versions")


def main() -> None:
    """Answer requests until stdin ends."""
    serve(prepare)


def prepare(request: Mapping[str, Any]) -> Callable[[], Loaded]:
    """Import what runs the artifact, and return what loads it."""
    # Whoever starts this process has verified the bundle.
    bundle = Bundle.open(request["bundle"], verify=False)
    artifact = bundle.select(file=request["file"])
    chosen = choose_runtime(artifact, request.get("runtime"))
    resolve(chosen.row.location)
    _ = bundle.config  # read now
    with contextlib.suppress(ImportError):  # the runtime tells what is missing, and how to get it
        importlib.import_module(chosen.row.native_module or chosen.row.package)

    def load() -> Loaded:
        runtime = chosen.open(bundle, artifact, device=request["device"], threads=request["threads"])
        described = runtime.describe()
        return Loaded(
            lambda inputs: runtime.run(**inputs), {name: described[name] for name in _TOLD if name in described}
        )

    return load


if __name__ == "__main__":
    main()
