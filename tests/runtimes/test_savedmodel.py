"""SavedModel artifacts on TensorFlow: both signatures, without this package, and what a directory that is none gets."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from albert_export.bundle import Bundle
from albert_export.errors import BundleError, DeviceError, InputError
from albert_export.runtimes import load, savedmodel_runtime
from albert_export.runtimes.devices import parse_device
from albert_export.runtimes.savedmodel_runtime import SavedModelRuntime

Exported = Callable[..., Path]

IDS = [[2, 7, 9, 3], [2, 8, 3, 0]]
MASK = [[1, 1, 1, 1], [1, 1, 1, 0]]

ONLY_TENSORFLOW = """
import json, sys
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
found = {}
for name, dtype in (("serving_default", tf.int32), ("serving_int64", tf.int64)):
    inputs = {"input_ids": IDS, "attention_mask": MASK, "token_type_ids": [[0] * 4] * 2}
    outputs = loaded.signatures[name](**{key: tf.constant(value, dtype) for key, value in inputs.items()})
    found[name] = {key: value.numpy().tolist() for key, value in outputs.items()}
assert not [name for name in sys.modules if name.partition(".")[0] in ("albert_export", "torch")]
print(json.dumps(found))
"""


def test_a_process_that_has_only_tensorflow_gets_the_same_answers(exported: Exported, tmp_path: Path) -> None:
    directory = exported("qa", "savedmodel")
    with load(directory, device="cpu") as runtime:
        expected = runtime.run(input_ids=IDS, attention_mask=MASK)
    program = ONLY_TENSORFLOW.replace("IDS", repr(IDS)).replace("MASK", repr(MASK))
    done = subprocess.run(
        [sys.executable, "-c", program, str(directory / "saved_model" / "1")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = __import__("json").loads(done.stdout)
    assert list(found) == ["serving_default", "serving_int64"]
    for outputs in found.values():
        assert sorted(outputs) == sorted(expected)
        for name, values in outputs.items():
            np.testing.assert_allclose(values, expected[name], atol=1e-5)


def test_a_directory_that_is_no_saved_model(tmp_path: Path, exported: Exported) -> None:
    bundle = Bundle.open(exported("qa", "savedmodel"))
    path = tmp_path / "1" / "saved_model.pb"
    path.parent.mkdir()
    path.write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"saved_model\.pb must be a model that TensorFlow .* loads"):
        SavedModelRuntime.open_file(path, task=bundle.task, config=bundle.config, device="cpu")


def test_variables_that_are_missing(tmp_path: Path, exported: Exported) -> None:
    bundle = Bundle.open(exported("qa", "savedmodel"))
    shutil.copytree(bundle.path / "saved_model", tmp_path / "saved_model")
    shutil.rmtree(tmp_path / "saved_model" / "1" / "variables")
    with pytest.raises(BundleError, match=r"saved_model\.pb must be a model that TensorFlow"):
        SavedModelRuntime.open_file(
            tmp_path / "saved_model" / "1" / "saved_model.pb", task=bundle.task, config=bundle.config, device="cpu"
        )


def test_a_gpu_that_is_not_there(exported: Exported) -> None:
    with pytest.raises(DeviceError, match="cuda:3 needs an NVIDIA GPU that TensorFlow sees"):
        load(exported("qa", "savedmodel"), device="cuda:3")


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_gpu_computes_without_tf32(monkeypatch: pytest.MonkeyPatch, device: str, error: type[Exception]) -> None:
    import tensorflow as tf

    def refuse(*_args: object) -> None:
        raise error("set up already")

    switched: list[bool] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [SimpleNamespace(name="GPU:0")])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", refuse)
    monkeypatch.setattr(tf.config.experimental, "enable_tensor_float_32_execution", switched.append)
    kind, index = parse_device(device)
    assert savedmodel_runtime._place(tf, kind, index)[:2] == ("/GPU:0", "cuda")
    assert switched == [False]
    # the twin: a run on the CPU leaves the process's setting alone
    assert savedmodel_runtime._place(tf, "cpu", 0)[:2] == ("/CPU:0", "cpu")
    assert switched == [False]


def test_threads_are_those_of_the_process(exported: Exported) -> None:
    program = (
        "import albert_export as ax\nfrom albert_export.errors import InputError\n"
        f"first = ax.load({str(exported('qa', 'savedmodel'))!r}, device='cpu', threads=1)\n"
        "first.run(input_ids=[[2, 3]])\n"
        "print(first.threads)\n"
        "try:\n"
        f"    ax.load({str(exported('qa', 'savedmodel'))!r}, device='cpu', threads=2)\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "1"
    assert second.startswith("TensorFlow takes its threads once, for the whole process; received threads=2")


def test_threads_that_are_none(exported: Exported) -> None:
    with pytest.raises(InputError, match="threads must be"):
        load(exported("qa", "savedmodel"), device="cpu", threads=0)
