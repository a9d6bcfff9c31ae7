"""The built-in vocabulary, and runtimes that compute outputs chosen by a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import albert_export
from albert_export.config import AlbertConfig
from albert_export.runtimes.protocol import Runtime
from albert_export.tasks import get_task
from albert_export.tokenization import AlbertTokenizerFast, load_tokenizer

Compute = Callable[..., dict[str, np.ndarray]]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> AlbertTokenizerFast:
    directory = tmp_path_factory.mktemp("vocabulary")
    model = Path(albert_export.__file__).parent / "builtin" / "spiece.model"
    (directory / "spiece.model").write_bytes(model.read_bytes())
    loaded = load_tokenizer(directory)
    assert isinstance(loaded, AlbertTokenizerFast)
    return loaded


@pytest.fixture(scope="session")
def word_pieces(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A vocabulary of the Chinese ALBERT models' kind."""
    directory = tmp_path_factory.mktemp("word_pieces")
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] 北 京 是 中 国 的 首 都 berlin is a city ##s in , . ? what ( )"
    (directory / "vocab.txt").write_text("\n".join(words.split()) + "\n", encoding="utf-8")
    return load_tokenizer(directory)


class PlayedRuntime(Runtime):
    """Computes what the test says, from checked inputs; keeps the shapes of its runs."""

    target: ClassVar[str] = "played"

    def __init__(
        self, task: str, compute: Compute, *, config: AlbertConfig, sizes: Mapping[str, int | None] | None = None
    ) -> None:
        row = get_task(task)
        super().__init__(
            task=row,
            config=config,
            inputs=row.inputs,
            outputs=row.outputs,
            sizes={**dict.fromkeys(row.dynamic_axes), **(sizes or {})},
            device="cpu",
            reason="played",
        )
        self.compute = compute
        self.shapes: list[tuple[int, ...]] = []

    @classmethod
    def open(cls, bundle: Any, artifact: Any, *, device: str = "auto", threads: int | None = None) -> Runtime:
        raise AssertionError("a played runtime is made by its test")

    def _execute(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self.shapes.append(inputs["input_ids"].shape)
        return self.compute(**inputs)

    def _release(self) -> None:
        pass


def config(**fields: Any) -> AlbertConfig:
    small: dict[str, Any] = {
        "vocab_size": 2000,
        "embedding_size": 8,
        "hidden_size": 8,
        "num_attention_heads": 2,
        "intermediate_size": 8,
        "num_hidden_layers": 2,
        "max_position_embeddings": 512,
    }
    return AlbertConfig(**{**small, **fields})


def by_token(values: Mapping[int, float], other: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """A function from ids to a logit for each: ``values`` for the ids in it."""

    def logits(ids: np.ndarray) -> np.ndarray:
        table = np.full(2000, other, dtype=np.float32)
        table[list(values)] = list(values.values())
        return table[ids]

    return logits
