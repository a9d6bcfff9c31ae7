"""Make an ONNX file whose last layer computes all tokens, also where the head reads the first one alone.

No option of ``albert-export`` makes it: it is what its files of pooled heads are measured against.

Usage: ``python -m benchmarks.all_tokens_build CHECKPOINT MODEL.onnx [--task text-classification] [--precision fp32]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from albert_export.checkpoints import open_checkpoint
from albert_export.graphs.onnx_emitter import emit_onnx
from albert_export.graphs.tracing import trace
from albert_export.models.torch_loading import load_eager
from albert_export.tasks import get_task


def main() -> None:
    """Parse the arguments and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("onnx", type=Path)
    parser.add_argument("--task", default="text-classification")
    parser.add_argument("--precision", default="fp32")
    arguments = parser.parse_args()
    task = get_task(arguments.task)
    model, _ = load_eager(open_checkpoint(arguments.checkpoint, task=task), task, allow_random_head=True)
    traced = trace(model, task, layers="rolled", sizes={}, all_tokens=True)
    arguments.onnx.parent.mkdir(parents=True, exist_ok=True)
    emit_onnx(model, task, arguments.onnx, precision=arguments.precision, traced=traced)


if __name__ == "__main__":
    main()
