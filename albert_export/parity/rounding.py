"""What int4 stores in place of a checkpoint's matrices, for the eager model that such an artifact is compared with.

Four bits change a model so much that its distance from the unrounded one tells little: where attention is peaked, a
correct artifact lies further from it than an output of half the size. So the reference is the eager model with the
matrices that the export rounds, rounded from the checkpoint by the same rule; nothing is taken from the artifact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from albert_export.parts import PARTS, part_of

if TYPE_CHECKING:
    from albert_export.bundle import Artifact

#: Precisions whose artifacts are compared with rounded matrices.
ROUNDED = ("int4",)


def rounded_parts(artifact: Artifact) -> tuple[str, ...]:
    """Return the parts whose matrices are rounded for the reference of an artifact; none in most precisions."""
    if artifact.precision not in ROUNDED:
        return ()
    return tuple(part for part in PARTS if part in artifact.facts.get("quantized", PARTS))


def round_matrices(model: Any, parts: Sequence[str]) -> None:
    """Round the matrices of an eager torch model in place, as the int4 export of those parts does.

    Args:
        model: In float32 or float64.
        parts: Of :data:`albert_export.parts.PARTS`.
    """
    import torch

    from albert_export.graphs.onnx_int4 import rounded
    from albert_export.graphs.onnx_quantization import NARROW

    for name, parameter in model.named_parameters():
        if part_of(name) in parts and parameter.dim() == 2 and len(parameter) >= NARROW:
            # The checkpoint's memory is mapped: it stays as it is.
            parameter.data = torch.from_numpy(rounded(parameter.detach().float().numpy())).to(parameter.dtype)
