"""What every emitter hands back to the export."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export.graphs.sharing import Sharing


@dataclass(frozen=True)
class Emitted:
    """What was written.

    Attributes:
        files: The artifact's files, the main one first.
        opset: ONNX operator set of the file; None for a target without any.
        inputs: Name, dtype and shape of each input; symbolic axes by name.
        outputs: The same for outputs.
        sharing: The sharing figures of the finished files.
        versions: Version of each package that had a part in it.
        facts: Operator counts, passes that changed something, loops: for ``inspect``.
        traced_sizes: Size of each dynamic axis in the example input.
    """

    files: tuple[Path, ...]
    opset: int | None
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    sharing: Sharing
    versions: dict[str, str]
    facts: dict[str, Any]
    traced_sizes: dict[str, int]
