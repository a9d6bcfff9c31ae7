"""albert-seeded: the same bytes everywhere, every head on one encoder, plainly untrained."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from albert_export.builtin import BUILTIN_MODELS, UNTRAINED_NOTICE, builtin_directory
from albert_export.builtin.seeded import seeded_config, seeded_files, seeded_tensors
from albert_export.checkpoints import open_checkpoint, parameters
from albert_export.errors import UnknownNameError
from albert_export.tasks import TASKS, Task, get_task

SEEDED = "albert-seeded"

# Bundles name these: when one changes, checkpoints of old bundles are no longer found. Change them only together with
# the model's name.
SOURCES = {
    None: "601e84609c29c52af1c3dbd06d93e5a2500858940998c5e107f1d9017d1acfdd",
    "feature-extraction": "4cf757c45574169166b6e331cd3509dd1f3982eb88bb729372118dab163ed116",
    "pretraining": "5bbcb24e7babf5a004a8b05b9e09e890b4472743566986582c39f5d748aca9b0",
    "fill-mask": "2f28dc8a6de005d8aae80d37eb033a532835a1b67cd81ad20dcca925df7ceb81",
    "text-classification": "37a103b8503d5a46f57c4d72ca1eca58384747bd3e7138b772cf135bfe9b804c",
    "multiple-choice": "989ef09203b21408341c7556d3d3766edb4f794c92680d67a67995e67c03c49d",
    "token-classification": "adb0673806107bf104f7d3e147be5259995039a6568ad226a73fe0cdbb7f0855",
    "question-answering": "5c947d38ef686881cc294f6ed02ecde05fefd143964ac9de2b0495a26cec8d37",
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALBERT_EXPORT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("task", (None, *TASKS), ids=lambda task: task.name if task else "all")
def test_source_is_pinned(task: Task | None) -> None:
    checkpoint = open_checkpoint(SEEDED, task=task)
    assert checkpoint.source.sha256 == SOURCES[None if task is None else task.name]
    assert (checkpoint.source.kind, checkpoint.source.name) == ("builtin", "albert-seeded")
    assert checkpoint.source.revision is None


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_head_has_its_weights(task: Task) -> None:
    checkpoint = open_checkpoint(SEEDED, task=task)
    assert checkpoint.shapes().items() >= parameters(checkpoint.config, task).items()
    assert checkpoint.config.architectures == [task.torch_class]
    assert checkpoint.config == seeded_config(task)


def test_without_a_task_every_head_whose_names_do_not_collide() -> None:
    checkpoint = open_checkpoint(SEEDED)
    for name in ("pretraining", "fill-mask", "question-answering", "text-classification", "feature-extraction"):
        assert checkpoint.shapes().items() >= parameters(checkpoint.config, get_task(name)).items()


def test_one_encoder_under_every_head() -> None:
    reference = seeded_tensors(get_task("feature-extraction"))
    for task in TASKS:
        tensors = seeded_tensors(task)
        for name, tensor in reference.items():
            np.testing.assert_array_equal(tensors[name], tensor)


def test_labels() -> None:
    assert list(seeded_config(get_task("text-classification")).id2label.values()) == ["NEGATIVE", "POSITIVE"]
    assert seeded_config(get_task("token-classification")).id2label[1] == "B-PER"
    assert seeded_tensors(get_task("token-classification"))["classifier.bias"].shape == (7,)
    assert seeded_tensors(get_task("multiple-choice"))["classifier.weight"].shape == (1, 128)
    assert seeded_config(get_task("qa")).num_labels == 2


def test_weights_are_as_varied_as_those_of_a_model_that_can_be_compared() -> None:
    tensors = seeded_tensors(None)
    assert {tensor.dtype.name for tensor in tensors.values()} == {"float32"}
    words = tensors["albert.embeddings.word_embeddings.weight"]
    assert abs(float(words.mean())) < 0.01
    assert float(words.std()) == pytest.approx(0.5, rel=0.01)
    for name, tensor in tensors.items():
        # No bias of zeros, no normalisation of ones: leaving one out must show.
        assert len(np.unique(tensor)) > 0.5 * min(tensor.size, 1000), name
    names = [name for name in tensors if tensors[name].shape == (128, 128)]
    assert not any(np.array_equal(tensors[a], tensors[b]) for a in names for b in names if a < b)


def test_answers_depend_on_every_token() -> None:
    """Weights of the usual small size give the same answer to everything, and would prove nothing."""
    import torch

    from albert_export import AlbertForQuestionAnswering

    model = AlbertForQuestionAnswering.from_pretrained(SEEDED).eval()
    ids = torch.from_numpy(np.random.default_rng(0).integers(13, 2000, (8, 48)))
    with torch.no_grad():
        whole = model(input_ids=ids, output_attentions=True)
        changed = ids.clone()
        changed[:, 40] = 5
        other = model(input_ids=changed).start_logits
    assert float((whole.start_logits - other)[:, :30].abs().mean()) > 0.03
    assert float(whole.start_logits.std(dim=1).min()) > 0.3
    assert len(set(whole.start_logits.argmax(dim=1).tolist())) > 3
    for attention in whole.attentions:
        assert float(attention.amax(dim=-1).mean()) > 0.3


def test_it_says_that_it_is_untrained(cache: Path) -> None:
    model = BUILTIN_MODELS[SEEDED]
    assert not model.trained
    assert "UNTRAINED" in model.summary
    assert "untrained" in UNTRAINED_NOTICE
    readme = (builtin_directory(SEEDED) / "README.md").read_text()
    assert "This model is untrained." in readme


def test_files_of_a_checkpoint_directory() -> None:
    contents = seeded_files(None)
    assert sorted(contents) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "spiece.model",
        "tokenizer_config.json",
    ]
    assert json.loads(contents["tokenizer_config.json"])["tokenizer_class"] == "AlbertTokenizer"
    assert json.loads(contents["config.json"])["vocab_size"] == 2000
    assert len(contents["model.safetensors"]) < 2_000_000


def test_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="albert-seeded"):
        builtin_directory("albert-sown")


def test_made_without_any_framework(cache: Path) -> None:
    code = (
        "import sys; from albert_export.checkpoints import open_checkpoint; open_checkpoint('albert-seeded').source;"
        "print(sorted({'torch', 'tensorflow', 'jax', 'onnx', 'huggingface_hub'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"
