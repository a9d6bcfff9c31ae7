"""Safetensors of the reference's TensorFlow classes, which hold their names and orientation."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from albert_export import AlbertConfig, AlbertForMaskedLM
from albert_export.checkpoints import open_checkpoint, parameters, write_safetensors
from albert_export.checkpoints.keras_layout import canonical_shapes, canonical_tensors, is_keras
from albert_export.checkpoints.names import keras_name
from albert_export.checkpoints.safetensors_file import numpy_tensors
from albert_export.errors import WeightsMismatchError
from albert_export.tasks import get_task
from tests.golden.seeded_weights import TINY, seeded_weight

GOLDEN = Path(__file__).parent.parent / "golden"
WORDS = "predictions.bias"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """What TFAlbertForMaskedLM of transformers 4.37.2 saved with safe_serialization=True, of seeded weights."""
    packed = (GOLDEN / "tf_model_masked_lm.safetensors.gz").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(gzip.decompress(packed))
    AlbertConfig(**TINY).save_pretrained(tmp_path)
    return tmp_path


def seeded() -> dict[str, np.ndarray]:
    shapes = parameters(AlbertConfig(**TINY), get_task("fill-mask"))
    return {name: seeded_weight(name, shapes[name]) for name in sorted(shapes)}


def change(checkpoint: Path, **changes: np.ndarray) -> None:
    """Write the file again, with changes by stored names, in which ``_`` stands for ``/``."""
    path = checkpoint / "model.safetensors"
    tensors = {name: np.array(value) for name, value in numpy_tensors([path]).items()}
    for name, value in changes.items():
        tensors[f"{name.replace('_', '/')}:0"] = value
    write_safetensors(path, tensors)


def test_it_is_read_as_any_other_checkpoint(checkpoint: Path) -> None:
    expected, opened = seeded(), open_checkpoint(checkpoint)
    assert list(opened.shapes().items()) == [(name, value.shape) for name, value in expected.items()]
    for tensors in (opened.numpy_tensors(), opened.torch_tensors()):
        assert list(tensors) == list(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(np.asarray(tensors[name]), value)
    model, info = AlbertForMaskedLM.from_pretrained(checkpoint, output_loading_info=True)
    assert not any(info.values())
    np.testing.assert_array_equal(model.predictions.bias.detach().numpy(), expected[WORDS])


def test_the_bias_is_the_one_that_the_logits_use(checkpoint: Path) -> None:
    other = np.full(TINY["vocab_size"], 7, np.float32)
    change(checkpoint, predictions_bias=other)
    np.testing.assert_array_equal(open_checkpoint(checkpoint).numpy_tensors()[WORDS], seeded()[WORDS])
    change(checkpoint, predictions_decoder_bias=0 * other)  # as after loading safetensors of a PyTorch model
    for tensors in (open_checkpoint(checkpoint).numpy_tensors(), open_checkpoint(checkpoint).torch_tensors()):
        np.testing.assert_array_equal(np.asarray(tensors[WORDS]), other)


def test_other_names_and_shapes_are_told(checkpoint: Path) -> None:
    change(checkpoint, predictions_dense_kernel=np.zeros((8, 16), np.float32), bert_kernel=np.zeros(3, np.float32))
    with pytest.raises(WeightsMismatchError) as error:
        AlbertForMaskedLM.from_pretrained(checkpoint)
    assert error.value.unexpected == ("bert/kernel:0",)
    assert error.value.mismatched == ("predictions.dense.weight: [16, 8] against [8, 16]",)


def test_names_of_pytorch_are_no_such_layout() -> None:
    assert not is_keras(seeded())
    assert is_keras(str(keras_name(name)) for name in seeded())


def test_a_weight_of_another_rank_keeps_its_shape() -> None:
    stored = {"albert/pooler/kernel:0": np.zeros((2, 3, 4)), "predictions/decoder/bias:0": np.ones(5)}
    shapes = {name: value.shape for name, value in stored.items()}
    assert canonical_shapes(shapes) == {"albert.pooler.weight": (2, 3, 4), WORDS: (5,)}
    tensors = canonical_tensors(stored, shapes)
    assert {name: value.shape for name, value in tensors.items()} == canonical_shapes(shapes)
