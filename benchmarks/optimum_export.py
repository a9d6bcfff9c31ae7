"""Run ``optimum-cli`` without the validation that it does after an export; runs in an environment that has optimum.

``optimum-cli export onnx`` has no option for that, though the function under it has. Everything else is its own:
arguments, defaults, post-processing.

Usage: ``PEERS_PYTHON benchmarks/optimum_export.py export onnx --model DIR --task question-answering OUT``
"""

from __future__ import annotations

import functools
import sys

import optimum.exporters.onnx
from optimum.commands.optimum_cli import main

if __name__ == "__main__":
    optimum.exporters.onnx.main_export = functools.partial(optimum.exporters.onnx.main_export, do_validation=False)
    sys.argv[0] = "optimum-cli"
    main()
