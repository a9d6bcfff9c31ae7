"""Make a question-answering checkpoint of a released ALBERT's size, with weights from a seed.

Timings depend on the shapes, and not on what the weights say, so nothing has to be downloaded. The tokenizer is that of
the built-in model: whoever exports the checkpoint also copies a tokenizer, as for a real one.

Usage: ``python -m benchmarks.seeded_checkpoint SIZE DIRECTORY``
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

#: The released models (Lan et al. 2020, table 1), and a tiny one that only shows that a benchmark works. The defaults
#: of AlbertConfig are those of xxlarge.
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": 2000,
        "embedding_size": 16,
        "hidden_size": 32,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
    },
    "base": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072},
    "large": {"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "num_hidden_layers": 24},
    "xlarge": {"hidden_size": 2048, "num_attention_heads": 16, "intermediate_size": 8192, "num_hidden_layers": 24},
    "xxlarge": {},
}


def write_checkpoint(size: str, directory: Path, *, seed: int = 0) -> None:
    """Write ``config.json``, ``model.safetensors`` and the tokenizer's files into ``directory``.

    Args:
        size: A key of :data:`SIZES`.
        directory: Made where it is missing.
        seed: Of the weights.
    """
    import torch

    from albert_export import AlbertConfig
    from albert_export.builtin import builtin_directory
    from albert_export.models.torch_albert import AlbertForQuestionAnswering

    torch.manual_seed(seed)
    model = AlbertForQuestionAnswering(AlbertConfig(**SIZES[size], architectures=["AlbertForQuestionAnswering"]))
    model.save_pretrained(directory)
    for file in builtin_directory("albert-seeded").iterdir():
        if "token" in file.name or file.name == "spiece.model":
            shutil.copyfile(file, directory / file.name)


def main() -> None:
    """Parse the arguments and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_checkpoint(arguments.size, arguments.directory, seed=arguments.seed)


if __name__ == "__main__":
    main()
