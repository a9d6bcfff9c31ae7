"""Loading artifacts of real bundles of the built-in model."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import albert_export
from albert_export.bundle import Bundle
from albert_export.errors import (
    AlbertExportError,
    BundleError,
    DeviceError,
    InputError,
    IntegrityError,
    UnknownNameError,
)
from albert_export.runtimes import Runtime, load
from albert_export.targets import TARGETS
from albert_export.tasks import TASKS, Task

Exported = Callable[..., Path]

EVERY_TARGET = pytest.mark.parametrize("target", [target.name for target in TARGETS if not target.built_on_device])


@EVERY_TARGET
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_head_runs_at_many_shapes(exported: Exported, task: Task, target: str) -> None:
    with load(exported(task.name, target), device="cpu") as runtime:
        assert isinstance(runtime, Runtime)
        assert (runtime.target, runtime.device, runtime.task) == (target, "cpu", task)
        told = runtime.describe()
        assert list(told)[:5] == ["target", "task", "file", "device", "reason"] and told["versions"]
        assert (told["target"], told["task"], told["device"]) == (target, task.name, "cpu")
        assert [spec.name for spec in runtime.inputs] == [spec.name for spec in task.inputs]
        longest = runtime.config.max_position_embeddings
        for batch, sequence in ((1, 1), (2, 7), (3, 2), (1, longest)):
            sizes = {"batch": batch, "sequence": sequence, "choices": 3}
            ids = np.random.default_rng(0).integers(5, 100, task.inputs[0].shape(runtime.config, sizes))
            outputs = runtime.run(input_ids=ids)
            assert list(outputs) == [spec.name for spec in task.outputs]
            for spec in task.outputs:
                assert outputs[spec.name].shape == spec.shape(runtime.config, sizes)
                assert outputs[spec.name].dtype == np.float32
                assert np.isfinite(outputs[spec.name]).all()


@EVERY_TARGET
def test_both_widths_and_left_out_inputs_give_the_same(exported: Exported, target: str) -> None:
    with albert_export.load(exported("qa", target), device="cpu") as runtime:
        ids = np.random.default_rng(0).integers(5, 100, (2, 9))
        expected = runtime.run(
            input_ids=ids, attention_mask=np.ones((2, 9), np.int64), token_type_ids=np.zeros((2, 9), np.int64)
        )
        for other in (
            runtime.run(input_ids=ids.astype(np.int32)),
            runtime.run(input_ids=ids.tolist(), attention_mask=np.ones((2, 9), bool)),
        ):
            for name, array in expected.items():
                np.testing.assert_array_equal(other[name], array)


@EVERY_TARGET
def test_mask_and_segments_matter(exported: Exported, target: str) -> None:
    """Or the test above would pass on a model that ignores them."""
    with load(exported("qa", target), device="cpu") as runtime:
        ids = np.random.default_rng(0).integers(5, 100, (1, 9))
        plain = runtime.run(input_ids=ids)["start_logits"]
        masked = runtime.run(input_ids=ids, attention_mask=[[1] * 6 + [0] * 3])["start_logits"]
        paired = runtime.run(input_ids=ids, token_type_ids=[[0] * 4 + [1] * 5])["start_logits"]
        assert np.abs(plain - masked)[:, :6].max() > 1e-3
        assert np.abs(plain - paired).max() > 1e-3


@EVERY_TARGET
def test_threads_share_one_session(exported: Exported, target: str) -> None:
    with load(exported("qa", target), device="cpu") as runtime:
        batches = [np.random.default_rng(seed).integers(5, 100, (1 + seed % 3, 5 + seed)) for seed in range(8)]
        expected = [runtime.run(input_ids=ids)["end_logits"] for ids in batches]
        with ThreadPoolExecutor(4) as pool:
            for _ in range(3):
                found = pool.map(lambda ids: runtime.run(input_ids=ids)["end_logits"], batches)
                for mine, theirs in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(mine, theirs)


@EVERY_TARGET
def test_outputs_belong_to_the_caller(exported: Exported, target: str) -> None:
    with load(exported("qa", target), device="cpu") as runtime:
        first = runtime.run(input_ids=[[2, 7, 9]])["start_logits"]
        kept = first.copy()
        second = runtime.run(input_ids=[[2, 8, 3]])["start_logits"]
        np.testing.assert_array_equal(first, kept)
        assert not np.shares_memory(first, second)
        assert np.abs(first - second).max() > 0


@EVERY_TARGET
def test_a_checked_input_never_reaches_the_library_wrong(exported: Exported, target: str) -> None:
    with load(exported("qa", target), device="cpu") as runtime:
        with pytest.raises(InputError, match="vocab_size"):
            runtime.run(input_ids=[[runtime.config.vocab_size]])
        with pytest.raises(InputError, match="did you mean input_ids"):
            runtime.run(inputs_ids=[[1]])
        with pytest.raises(InputError, match="max_position_embeddings"):
            runtime.run(input_ids=[[5] * (runtime.config.max_position_embeddings + 1)])


@EVERY_TARGET
def test_closing_beside_runs_in_other_threads_fails_cleanly(exported: Exported, target: str) -> None:
    runtime = load(exported("qa", target), device="cpu")
    expected = runtime.run(input_ids=[[2, 7, 9]])["start_logits"]

    def work(_: int) -> str:
        try:
            while True:
                np.testing.assert_array_equal(runtime.run(input_ids=[[2, 7, 9]])["start_logits"], expected)
        except AlbertExportError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, index) for index in range(4)]
        runtime.close()
        assert all("closed" in future.result(timeout=60) for future in running)
    runtime.close()
    assert runtime.closed


@EVERY_TARGET
@pytest.mark.parametrize("fixed", [{"batch": 2}, {"sequence": 12}, {"batch": 1, "sequence": 12}])
def test_fixed_sizes_come_from_the_file(fixed: dict[str, int], target: str, tmp_path: Path) -> None:
    bundle = albert_export.export(target, task="qa", out=tmp_path / "qa", parity=False, **fixed)
    with load(bundle, device="cpu") as runtime:
        assert runtime.sizes == {"batch": None, "sequence": None, **fixed}
        shape = (fixed.get("batch", 3), fixed.get("sequence", 5))
        assert runtime.run(input_ids=np.full(shape, 7))["start_logits"].shape == shape
        for axis, size in fixed.items():
            with pytest.raises(InputError, match=f"{axis} must be {size}"):
                runtime.run(input_ids=np.full([n + 1 for n in shape], 7))
            break


def test_an_opened_bundle_can_be_loaded(exported: Exported) -> None:
    with load(Bundle.open(exported("qa")), target="onnx", precision="fp32", device="cpu") as runtime:
        assert runtime.task.name == "question-answering"


@pytest.mark.parametrize(
    ("target", "file"),
    [
        ("onnx", "onnx/model.onnx"),
        ("savedmodel", "saved_model/1/variables/variables.data-00000-of-00001"),
        ("savedmodel", "saved_model/1/saved_model.pb"),
        ("tflite", "tflite/model.tflite"),
        ("stablehlo", "stablehlo/model.jax"),
        ("stablehlo", "stablehlo/weights.safetensors"),
        ("stablehlo", "stablehlo/model.tpu.mlirbc"),
    ],
)
def test_an_altered_artifact_is_not_loaded(exported: Exported, tmp_path: Path, target: str, file: str) -> None:
    copy = tmp_path / "qa"
    shutil.copytree(exported("qa", target), copy)
    model = copy / file
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with pytest.raises(IntegrityError, match=re.escape(file)):
        load(copy)


def test_what_is_not_there(exported: Exported, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such directory"):
        load(tmp_path / "absent")
    with pytest.raises(UnknownNameError, match="did you mean onnx"):
        load(exported("qa"), target="onxx")
    with pytest.raises(BundleError, match="precision=int8"):
        load(exported("qa"), precision="int8")


@EVERY_TARGET
def test_a_device_that_is_none(exported: Exported, target: str) -> None:
    with pytest.raises(InputError, match="device must be"):
        load(exported("qa", target), device="gpu")
    with pytest.raises(DeviceError):
        load(exported("qa", target), device="cuda:7")


@pytest.mark.parametrize(
    ("target", "needed"),
    [("onnx", "onnxruntime"), ("savedmodel", "tensorflow"), ("tflite", "ai_edge_litert"), ("stablehlo", "jax")],
)
def test_loading_and_running_needs_the_one_runtime_and_prints_nothing(
    exported: Exported, target: str, needed: str
) -> None:
    """With everything else of this environment made unimportable."""
    frameworks = [
        "torch",
        "onnx",
        "onnx_ir",
        "onnxruntime",
        "transformers",
        "tensorflow",
        "ai_edge_litert",
        "jax",
        "flax",
        "click",
    ]
    path = str(exported("qa", target))
    code = (
        "import sys\n"
        f"for name in {[name for name in frameworks if name != needed]!r}:\n"
        "    sys.modules[name] = None\n"
        "import albert_export as ax\n"
        f"with ax.load({path!r}, device='cpu') as session:\n"
        "    print(sorted(session.run(input_ids=[[2, 7, 3]])))\n"
        f"with ax.pipeline({path!r}, device='cpu') as qa:\n"
        "    print(type(qa(question='Who?', context='Ada Lovelace wrote the notes.').text).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split("\n")[:2] == ["['end_logits', 'start_logits']", "str"]
