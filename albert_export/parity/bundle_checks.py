"""What must hold of a bundle besides its artifacts: the tokenizer in it is the checkpoint's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from albert_export.parity.report import CheckResult
from albert_export.parity.texts import PAIRS

if TYPE_CHECKING:
    from albert_export.checkpoints import Checkpoint
    from albert_export.config import AlbertConfig

#: Texts are cut here, so that both tokenizers also have to cut alike.
_LONGEST = 64


def same_tokenizer(bundled: Any | None, checkpoint: Checkpoint, config: AlbertConfig) -> CheckResult:
    """Compare the ids that the bundle's tokenizer gives with those of the checkpoint's own files.

    Args:
        bundled: The bundle's tokenizer, or None.
        checkpoint: The checkpoint; its tokenizer is read anew.
        config: The bundle's, for what the tokenizer's files leave out.
    """
    from albert_export.tokenization import find_tokenizer

    name = "tokenizer"
    original = find_tokenizer(checkpoint.directory, config=config)
    if original is None:
        return CheckResult(name, None, "does not apply: the checkpoint has no tokenizer to compare with")
    if bundled is None:
        return CheckResult(name, False, "the checkpoint has a tokenizer, and the bundle has none")
    for pair in PAIRS:
        for texts in (pair[:1], pair):
            ids, wanted = (_encoded(tokenizer, texts) for tokenizer in (bundled, original))
            if ids != wanted:
                return CheckResult(name, False, f"{texts[0]!r} gives {ids[0][:8]} in place of {wanted[0][:8]}")
    count = sum(len(pair) for pair in PAIRS)
    return CheckResult(name, True, f"{count} texts of several scripts, alone and in pairs: the checkpoint's ids")


def _encoded(tokenizer: Any, texts: Sequence[str]) -> tuple[list[int], list[int]]:
    encoded = tokenizer(*texts, truncation=True, max_length=_LONGEST)
    return [int(item) for item in encoded["input_ids"]], [int(item) for item in encoded["token_type_ids"]]
