"""Fresh weights that depend on their name alone: the same numbers in every run and in every framework."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.names import TIED_DECODER_WEIGHT, row_of

if TYPE_CHECKING:
    import numpy as np

    from albert_export.config import AlbertConfig

_WORDS = TIED_DECODER_WEIGHT[1]


def fresh_weight(name: str, shape: tuple[int, ...], config: AlbertConfig) -> np.ndarray:
    """Return a fresh float32 weight, filled as the table of names says; the padding token's embedding is zeros.

    Args:
        name: The parameter's name, canonical or as in a bare ``AlbertModel``; it seeds the numbers.
        shape: Its shape as the table has it: linear weights are ``[out, in]``.
        config: Gives ``initializer_range`` and ``pad_token_id``.
    """
    import numpy as np

    name = canonical_name(name)
    row = row_of(name)
    assert row is not None, name
    if row.initial != "normal":
        return np.full(shape, 1.0 if row.initial == "ones" else 0.0, np.float32)
    # RandomState is frozen: its stream is the same in every numpy release and on every machine.
    drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    weight: np.ndarray = (drawn * config.initializer_range).astype(np.float32)
    if name == _WORDS and config.pad_token_id is not None:
        weight[config.pad_token_id] = 0
    return weight
