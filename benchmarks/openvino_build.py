"""Make an OpenVINO model of an ONNX file, as its guide does it; runs in an environment that has openvino and nncf.

With ``--int8`` it is quantised by NNCF, its ranges measured on the inputs of an ``.npz`` file: input name -> [N, S], of
which each row is a sample. Weights are stored as they are; with ``--fp16-weights``, OpenVINO's own default, in fp16.

Usage: ``PEERS_PYTHON -m benchmarks.openvino_build MODEL.onnx MODEL.xml [--int8 CALIBRATION.npz] [--fp16-weights]``
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import openvino


def main() -> None:
    """Parse the arguments and convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("onnx", type=Path)
    parser.add_argument("xml", type=Path)
    parser.add_argument("--int8", type=Path, metavar="CALIBRATION.npz")
    parser.add_argument("--fp16-weights", action="store_true")
    arguments = parser.parse_args()
    model = openvino.convert_model(arguments.onnx)
    if arguments.int8 is not None:
        model = quantize(model, arguments.int8)
    arguments.xml.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, arguments.xml, compress_to_fp16=arguments.fp16_weights)


def quantize(model: Any, calibration: Path) -> Any:
    """Return the model in int8, weights and activations."""
    import nncf

    with np.load(calibration) as stored:
        inputs = {name: stored[name] for name in stored.files}
    taken = [port.get_any_name() for port in model.inputs]
    count = len(inputs["input_ids"])
    samples = [{name: inputs[name][index : index + 1] for name in taken} for index in range(count)]
    dataset = nncf.Dataset(samples)
    return nncf.quantize(model, dataset, model_type=nncf.ModelType.TRANSFORMER, subset_size=count)


if __name__ == "__main__":
    main()
