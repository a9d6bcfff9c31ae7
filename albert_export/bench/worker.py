"""The process that measures one artifact of a bundle; see :mod:`albert_export.bench.serving`.

To ``load`` it takes ``bundle`` (the directory), ``file`` (the artifact), ``device`` and ``threads``.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from albert_export._imports import resolve
from albert_export.bench.serving import Loaded, serve
from albert_export.bundle import Bundle
from albert_export.runtimes import Runtime
from albert_export.targets import get_target

#: What of a runtime's own description is told: nothing of it is a path.
_TOLD = ("device", "reason", "threads", "versions")


def main() -> None:
    """Answer requests until stdin ends."""
    serve(prepare)


def prepare(request: Mapping[str, Any]) -> Callable[[], Loaded]:
    """Import what runs the artifact, and return what loads it."""
    # Whoever starts this process has verified the bundle.
    bundle = Bundle.open(request["bundle"], verify=False)
    artifact = bundle.select(file=request["file"])
    target = get_target(artifact.target)
    runtime_class: type[Runtime] = resolve(target.runtime)
    _ = bundle.config  # read now
    with contextlib.suppress(ImportError):  # the runtime tells what is missing, and how to get it
        importlib.import_module(target.native_module or target.run_package)

    def load() -> Loaded:
        runtime = runtime_class.open(bundle, artifact, device=request["device"], threads=request["threads"])
        described = runtime.describe()
        return Loaded(lambda inputs: runtime.run(**inputs), {name: described[name] for name in _TOLD})

    return load


if __name__ == "__main__":
    main()
