"""Loading artifacts of real bundles of the built-in model."""

from __future__ import annotations

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
from albert_export.errors import BundleError, InputError, IntegrityError, UnknownNameError
from albert_export.runtimes import Runtime, load
from albert_export.tasks import TASKS, Task

Exported = Callable[[str], Path]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_head_runs_at_many_shapes(exported: Exported, task: Task) -> None:
    with load(exported(task.name), device="cpu") as runtime:
        assert isinstance(runtime, Runtime)
        assert (runtime.target, runtime.device, runtime.task) == ("onnx", "cpu", task)
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


def test_both_widths_and_left_out_inputs_give_the_same(exported: Exported) -> None:
    with albert_export.load(exported("qa"), device="cpu") as runtime:
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


def test_mask_and_segments_matter(exported: Exported) -> None:
    """Or the test above would pass on a model that ignores them."""
    with load(exported("qa"), device="cpu") as runtime:
        ids = np.random.default_rng(0).integers(5, 100, (1, 9))
        plain = runtime.run(input_ids=ids)["start_logits"]
        masked = runtime.run(input_ids=ids, attention_mask=[[1] * 6 + [0] * 3])["start_logits"]
        paired = runtime.run(input_ids=ids, token_type_ids=[[0] * 4 + [1] * 5])["start_logits"]
        assert np.abs(plain - masked)[:, :6].max() > 1e-3
        assert np.abs(plain - paired).max() > 1e-3


def test_threads_share_one_session(exported: Exported) -> None:
    with load(exported("qa"), device="cpu", threads=1) as runtime:
        batches = [np.random.default_rng(seed).integers(5, 100, (1 + seed % 3, 5 + seed)) for seed in range(8)]
        expected = [runtime.run(input_ids=ids)["end_logits"] for ids in batches]
        with ThreadPoolExecutor(4) as pool:
            for _ in range(3):
                found = pool.map(lambda ids: runtime.run(input_ids=ids)["end_logits"], batches)
                for mine, theirs in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(mine, theirs)


def test_an_opened_bundle_can_be_loaded(exported: Exported) -> None:
    with load(Bundle.open(exported("qa")), target="onnx", precision="fp32", device="cpu") as runtime:
        assert runtime.task.name == "question-answering"


def test_an_altered_artifact_is_not_loaded(exported: Exported, tmp_path: Path) -> None:
    copy = tmp_path / "qa"
    shutil.copytree(exported("qa"), copy)
    model = copy / "onnx" / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        load(copy)


def test_what_is_not_there(exported: Exported, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such directory"):
        load(tmp_path / "absent")
    with pytest.raises(UnknownNameError, match="did you mean onnx"):
        load(exported("qa"), target="onxx")
    with pytest.raises(BundleError, match="precision=int8"):
        load(exported("qa"), precision="int8")
    with pytest.raises(InputError, match="device must be"):
        load(exported("qa"), device="gpu")


def test_loading_and_running_needs_no_framework(exported: Exported) -> None:
    """With everything else of this environment made unimportable."""
    code = (
        "import sys\n"
        "for name in 'torch onnx onnx_ir onnxscript transformers tensorflow jax click'.split():\n"
        "    sys.modules[name] = None\n"
        "import albert_export as ax\n"
        f"with ax.load({str(exported('qa'))!r}, device='cpu') as session:\n"
        "    print(sorted(session.run(input_ids=[[2, 7, 3]])))\n"
        f"with ax.pipeline({str(exported('qa'))!r}, device='cpu') as qa:\n"
        "    print(type(qa(question='Who?', context='Ada Lovelace wrote the notes.').text).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split("\n")[:2] == ["['end_logits', 'start_logits']", "str"]
