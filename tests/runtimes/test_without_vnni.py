"""int8 on a processor without VNNI, emulated: sums of two products of bytes have 16 bits there, and saturate.

The models have weights of one magnitude each, as a matrix of signs has: every number is as far from zero as its
integers reach. ``make haswell`` runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from albert_export.tasks import get_task
from tests.graphs.noise import signal_to_noise
from tests.runtimes import run_artifacts

#: Says that these tests are wanted: an emulated processor takes a minute to import numpy and two runtimes.
WANTED = os.environ.get("ALBERT_EXPORT_TEST_HASWELL") == "1"
QEMU = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")

#: AVX2 and FMA, but neither AVX-512 nor VNNI.
PROCESSOR = "Haswell"
QA = get_task("question-answering")
SHAPE = (2, 1, 24)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not WANTED, reason="emulates a processor: make haswell"),
    pytest.mark.skipif(WANTED and QEMU is None, reason="needs qemu-x86_64 (Debian: apt install qemu-user)"),
]

#: dB
RIGHT, WRONG = 20.0, 15.0


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, inputs, and what the emulated processor makes of them."""
    import torch

    from albert_export.graphs import onnx_quantization
    from albert_export.graphs.onnx_emitter import emit_onnx
    from tests.graphs.models import eager_outputs, inputs, tiny_model

    path = tmp_path_factory.mktemp("haswell")
    model = tiny_model(QA)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "embeddings." not in name:
                parameter.copy_(torch.where(parameter < 0, -0.2, 0.2))
    emit_onnx(model, QA, path / "int8.onnx", precision="int8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_quantization, "WEIGHT_STEPS", 127)
        emit_onnx(model, QA, path / "full-range.onnx", precision="int8")
    feed = inputs(QA, *SHAPE)
    np.savez(path / "inputs.npz", **feed)
    expected = dict(zip(("start_logits", "end_logits"), eager_outputs(model, QA, feed), strict=True))
    np.savez(path / "onnx.npz", **expected)
    _tflite_beside(path)
    files = ("int8.onnx", "full-range.onnx", "int8.tflite")
    command = [
        str(QEMU), "-cpu", PROCESSOR, sys.executable, run_artifacts.__file__, "inputs.npz", *files,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return path


def _tflite_beside(path: Path) -> None:
    """The same weights through TensorFlow: sums of products of signs are as large there."""
    from albert_export.graphs.tflite_emitter import emit_tflite
    from albert_export.models.tf_layers import named_weights
    from tests.graphs.tf_models import eager_outputs, tiny_model

    model = tiny_model(QA)
    for name, variable in named_weights(model):
        if len(variable.shape) == 2 and "embeddings." not in name:
            variable.assign(np.where(variable.numpy() < 0, -0.2, 0.2).astype(np.float32))
    emit_tflite(model, QA, path / "int8.tflite", precision="int8")
    with np.load(path / "inputs.npz") as stored:
        feed = {name: array.astype(np.int32) for name, array in stored.items()}
    expected = dict(zip(("start_logits", "end_logits"), eager_outputs(model, QA, feed), strict=True))
    np.savez(path / "tflite.npz", **expected)


def noise(directory: Path, file: str) -> float:
    with np.load(directory / f"{file}.npz") as found, np.load(directory / f"{file.rpartition('.')[2]}.npz") as expected:
        return signal_to_noise([found[name] for name in expected], [expected[name] for name in expected])


@pytest.mark.parametrize("file", ["int8.onnx", "int8.tflite"])
def test_int8_is_right_without_vnni(directory: Path, file: str) -> None:
    assert noise(directory, file) > RIGHT


def test_weights_of_the_full_range_saturate_so_that_the_test_above_can_fail(directory: Path) -> None:
    assert noise(directory, "full-range.onnx") < WRONG
