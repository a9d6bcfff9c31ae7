"""How many floating-point operations the matrix products of one forward pass take."""

from __future__ import annotations

from albert_export.config import AlbertConfig


def matrix_flops(config: AlbertConfig, batch: int, sequence: int) -> int:
    """Return the operations of all matrix products of a question-answering model, multiplications and additions.

    Softmax, normalisation and activation are left out, as is usual: a share of the peak of matrix products is then a
    share of what they could take at least.

    Args:
        config: The model's.
        batch: Rows (B).
        sequence: Tokens of a row (S).
    """
    tokens = batch * sequence
    hidden, inner = config.hidden_size, config.intermediate_size
    layer = 4 * hidden * hidden + 2 * hidden * inner + 2 * sequence * hidden
    layers = config.num_hidden_layers * config.inner_group_num * layer
    return 2 * tokens * (config.embedding_size * hidden + layers + hidden * 2)
