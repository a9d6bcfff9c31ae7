"""The files of albert-mini with a tiny model in them: the same layout, random weights, albert-seeded's vocabulary."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.builtin import builtin_directory, trained
from albert_export.checkpoints import parameters, write_safetensors
from albert_export.config import AlbertConfig
from albert_export.tasks import TASKS, get_task
from albert_export.tokenization import AlbertTokenizerFast

SIZES: dict[str, Any] = {
    "vocab_size": 2000,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 512,
}
LABELS: dict[str, Sequence[str]] = {
    "text-classification": ("negative", "neutral", "positive"),
    "token-classification": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
}
_TEXTS = ("Ada Lovelace wrote the first program.", "The notes are in London.", "Mara bought a lamp on Monday.")

#: Task -> a few items in its form; the answers are as good as any, since the model is random.
ITEMS: dict[str, list[dict[str, Any]]] = {
    "question-answering": [
        {"question": "Who?", "context": text, "answers": [text.split()[0]], "answer_start": 0} for text in _TEXTS
    ],
    "text-classification": [
        {"text": text, "label": label} for text, label in zip(_TEXTS, LABELS["text-classification"], strict=True)
    ],
    "token-classification": [{"text": _TEXTS[0], "entities": [{"start": 0, "end": 12, "label": "PER"}]}],
    "multiple-choice": [
        {"prompt": text, "choices": list(_TEXTS), "label": number} for number, text in enumerate(_TEXTS)
    ],
    "fill-mask": [{"text": "Ada wrote [MASK] program.", "targets": ["the"]}],
    "pretraining": [{"text": first, "text_pair": _TEXTS[0], "label": 1} for first in _TEXTS],
    "feature-extraction": [
        {"text": text, "text_pair": _TEXTS[0], "score": 5.0 - number} for number, text in enumerate(_TEXTS)
    ],
}


def install_mini(monkeypatch: pytest.MonkeyPatch, directory: Path, **sizes: Any) -> Path:
    """Write the files of a tiny model, and let the package take them for its own; return their directory."""
    monkeypatch.setattr(trained, "FILES", write_mini(directory, **sizes))
    return directory


def write_mini(directory: Path, *, seed: int = 0, **sizes: Any) -> Path:
    """Write the files into ``directory`` and return it."""
    config = AlbertConfig(**{**SIZES, **sizes})
    (directory / "heads").mkdir(parents=True)
    (directory / "held_out").mkdir()
    tokenizer = AlbertTokenizerFast.from_pretrained(builtin_directory("albert-seeded"))
    tokenizer.save_pretrained(directory)
    (directory / "special_tokens_map.json").unlink()
    (directory / "config.json").write_text(config.to_json_string(), encoding="utf-8")
    generator = np.random.default_rng(seed)
    encoder = _weights(parameters(config, get_task("feature-extraction")), generator)
    write_safetensors(directory / "encoder.safetensors", encoder)
    words: dict[str, np.ndarray] = {}  # two heads share the weights that masked words are read with
    for task in TASKS:
        head: dict[str, Any] = {"architectures": [task.torch_class], "figures": {"held_out": {"accuracy": 0.9}}}
        if task.name in LABELS:
            head["id2label"] = {str(index): name for index, name in enumerate(LABELS[task.name])}
        (directory / "heads" / f"{task.name}.json").write_text(json.dumps(head), encoding="utf-8")
        shapes = parameters(AlbertConfig.from_dict({**config.to_dict(), **head}), task)
        own = {name: shape for name, shape in shapes.items() if name not in encoder}
        if own:
            weights = _weights(own, generator) | {name: words[name] for name in own if name in words}
            words |= {name: weight for name, weight in weights.items() if name.startswith("predictions.")}
            write_safetensors(directory / "heads" / f"{task.name}.safetensors", weights)
        for ending in ("", ".new-patterns"):
            write_items(directory / "held_out" / f"{task.name}{ending}.jsonl.gz", ITEMS[task.name])
    return directory


def write_items(path: Path, items: Sequence[Mapping[str, Any]]) -> Path:
    """Write JSON lines, gzipped where the name says so."""
    lines = [json.dumps({"id": f"item-{number}", **item}) + "\n" for number, item in enumerate(items)]
    data = "".join(lines).encode("utf-8")
    if path.suffix == ".gz":
        packed = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
            file.write(data)
        data = packed.getvalue()
    path.write_bytes(data)
    return path


def _weights(shapes: Mapping[str, tuple[int, ...]], generator: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        name: (0.3 * generator.standard_normal(shape) + (1.0 if "orm.weight" in name else 0.0)).astype(np.float16)
        for name, shape in shapes.items()
    }
