"""MediaPipe: one ``.tflite`` of a single subgraph, with labels and vocabulary inside."""

from __future__ import annotations

from albert_export.errors import BundleError
from albert_export.layouts.place import Place
from albert_export.readers import MEDIAPIPE


def write(place: Place, *, precision: str | None = None, file: str | None = None) -> dict[str, str]:
    """Write the directory.

    Args:
        place: Where.
        precision: Precision of the file, by default the first that is there of fp32, fp16 and int8.
        file: One TFLite file of several.

    Raises:
        BundleError: The bundle has no TFLite file that was exported for MediaPipe.
    """
    bundle = place.bundle
    order = ("fp32", "fp16", "int8") if precision is None else (precision,)
    found = sorted(
        (
            artifact
            for artifact in bundle.manifest.artifacts
            if artifact.facts.get("compat") == MEDIAPIPE.name
            and artifact.precision in order
            and file in (None, artifact.file)
        ),
        key=lambda artifact: (order.index(artifact.precision), artifact.file),
    )
    if not found:
        raise BundleError(
            "MediaPipe takes a TFLite file that was exported for it",
            received=f"the bundle {bundle.path} without one{'' if precision is None else f' in {precision}'}",
            fix=f"albert-export tflite --task {bundle.manifest.task} --compat {MEDIAPIPE.name} --out {bundle.path}",
        )
    place.link(found[0].file, to="classifier.tflite")
    return {}
