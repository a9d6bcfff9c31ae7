"""albert-seeded: a small ALBERT whose weights come from a seed; the same bytes on every machine and in every version.

No framework and no random generator of a library takes part: a hash stretches the seed into bytes, and integer
arithmetic and single rounded products make weights of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from albert_export.checkpoints.names import Row, rows_of
from albert_export.checkpoints.writing import safetensors_bytes
from albert_export.config import AlbertConfig
from albert_export.tasks import Task, get_task

if TYPE_CHECKING:
    import numpy as np

SEED = 2

#: Labels of the tasks that have names for them; the others have two labels, LABEL_0 and LABEL_1.
LABELS: dict[str, tuple[str, ...]] = {
    "text-classification": ("NEGATIVE", "POSITIVE"),
    "token-classification": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"),
}
#: Standard deviations of the weights. ALBERT's own 0.02 would, at this width, make every attention uniform and every
#: answer alike, and hide mistakes. With these, attention is peaked, and six rounds through one layer leave the tokens
#: apart. Embeddings and distances (relative positions enter attention scores) have a fixed deviation; linear weights
#: one of gain / sqrt(inputs), where a gain of 1 keeps the size of what passes through.
_DEVIATIONS = {"embeddings.": 0.5, "distance_embedding": 0.1}
_GAINS = {"query": 3.0, "key": 3.0, "value": 0.75, "attention.dense": 0.75, "ffn_output": 0.6}
#: The heads of a checkpoint for no particular task: all whose names do not collide.
_HEADS_WITHOUT_TASK = ("pretraining", "question-answering", "text-classification")

README = """# albert-seeded

**This model is untrained.** Its weights come from a seed; its answers mean nothing.

It exists so that every step of albert-export (loading, exporting, running, proving parity) can be tried and tested
without a download. Its vocabulary is a real one: SentencePiece, 2,000 pieces, trained from text that was written for
the project. Do not judge accuracy, speed or quantisation by this model.

License: Apache-2.0.
"""


def seeded_config(task: Task | None) -> AlbertConfig:
    """Return the configuration: one shared layer applied six times, 128 wide, with the labels of ``task``."""
    names = LABELS.get("text-classification" if task is None else task.name)
    return AlbertConfig(
        vocab_size=2000,
        embedding_size=64,
        hidden_size=128,
        num_hidden_layers=6,
        num_hidden_groups=1,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=512,
        id2label=None if names is None else dict(enumerate(names)),
        torch_dtype="float32",
        architectures=["AlbertModel" if task is None else task.torch_class],
    )


def seeded_tensors(task: Task | None) -> dict[str, np.ndarray]:
    """Return canonical name -> float32 weight of the encoder, its pooler and the heads.

    A weight depends on its name and shape alone, so that one encoder stands under every head.
    """
    config = seeded_config(task)
    names = _HEADS_WITHOUT_TASK if task is None else ("feature-extraction", task.name)
    return {name: _weight(row, name, shape) for head in names for row, name, shape in rows_of(config, get_task(head))}


@cache
def _files(task_name: str | None) -> dict[str, bytes]:
    task = None if task_name is None else get_task(task_name)
    tokenizer = {
        "tokenizer_class": "AlbertTokenizer",
        "model_max_length": 512,
        "do_lower_case": True,
        "remove_space": True,
        "keep_accents": False,
    }
    return {
        "README.md": README.encode("utf-8"),
        "config.json": seeded_config(task).to_json_string().encode("utf-8"),
        "model.safetensors": safetensors_bytes(seeded_tensors(task)),
        "spiece.model": files("albert_export.builtin").joinpath("spiece.model").read_bytes(),
        "tokenizer_config.json": _json(tokenizer),
    }


def seeded_files(task: Task | None) -> dict[str, bytes]:
    """Return file name -> contents of a checkpoint directory of albert-seeded with the head of ``task``."""
    return dict(_files(None if task is None else task.name))


def _weight(row: Row, name: str, shape: tuple[int, ...]) -> np.ndarray:
    import numpy as np

    if row.initial == "ones":
        # Away from 1, so that a normalisation whose weight is forgotten shows; biases away from 0 likewise.
        return (1 + _bell(name, shape, 0.1)).astype(np.float32)
    if row.initial == "zeros":
        return _bell(name, shape, 0.03).astype(np.float32)
    for part, deviation in _DEVIATIONS.items():
        if part in name:
            return _bell(name, shape, deviation).astype(np.float32)
    gain = next((gain for part, gain in _GAINS.items() if part in name), 1.5)
    return _bell(name, shape, gain / math.sqrt(shape[-1])).astype(np.float32)


def _bell(name: str, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    """Return float64 values with a bell-shaped distribution of mean 0: sums of four uniform 16-bit numbers."""
    import numpy as np

    count = math.prod(shape)
    stream = hashlib.shake_256(f"albert-seeded {SEED} {name}".encode()).digest(8 * count)
    sums = np.frombuffer(stream, dtype="<u2").reshape(count, 4).sum(axis=1, dtype=np.int64) - 2 * 65535
    # Four times the variance (65536**2 - 1) / 12 of one number.
    bell: np.ndarray = sums * (deviation / math.sqrt((65536**2 - 1) / 3))
    return bell.reshape(shape)


def _json(fields: dict[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
