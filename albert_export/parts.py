"""THE TABLE of a model's parts, by which ``--quantize`` says what gets int8 or int4 weights and what stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from albert_export.errors import InputError, UnknownNameError

#: Part -> what the canonical names of its matrices contain. The first that fits counts.
_NAMES: dict[str, str] = {
    "embeddings": r"\bword_embeddings\.|\bembedding_hidden_mapping_in\.",
    "attention": r"\.attention\.(query|key|value|dense)\.",
    "ffn": r"\.(ffn|ffn_output)\.",
    "head": r"\bpooler\.|\bpredictions\.|\bclassifier\.|\bqa_outputs\.",
}

#: The parts in the order of the model. A decoder that is tied to the word embeddings goes with them.
PARTS: tuple[str, ...] = tuple(_NAMES)

#: A matrix with fewer outputs, or a table with fewer rows, stays as it is, in every target: it takes no room, and what
#: such a matrix gives are the answers themselves.
NARROW = 16

#: What an artifact's facts call the parts that its integers left out because they cost too much.
LEFT = "left_in_fp32"


def part_of(name: str) -> str | None:
    """Return the part that a weight belongs to, by its canonical name.

    None for what is never quantised: biases and normalisations, and the tables of positions and segments, which are
    small.
    """
    if not name.endswith(".weight") or "LayerNorm" in name or "layer_norm" in name:
        return None
    return next((part for part, pattern in _NAMES.items() if re.search(pattern, name)), None)


def check_parts(chosen: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the parts in the order of :data:`PARTS`, each once.

    Args:
        chosen: Names, or one string of them with commas between; None for all.

    Raises:
        UnknownNameError: A name is no part's.
        InputError: There are none.
    """
    if chosen is None:
        return PARTS
    names = [name.strip() for name in chosen.split(",")] if isinstance(chosen, str) else list(chosen)
    names = [name for name in names if name]
    for name in names:
        if name not in PARTS:
            raise UnknownNameError("part", name, PARTS)
    if not names:
        raise InputError("there must be a part to quantise", received="none", fix=f"choose from {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in names)


def quantized_parts(sizes: Mapping[str, int], chosen: Sequence[str]) -> dict[str, int]:
    """Return the entries of those of the chosen parts that have anything to quantise, in the order of ``sizes``.

    Args:
        sizes: Part -> bytes of its matrices that can be quantised, of all parts.
        chosen: Names of parts.

    Raises:
        InputError: None of them has anything.
    """
    found = {part: size for part, size in sizes.items() if size and part in chosen}
    if not found:
        others = [part for part, size in sizes.items() if size]
        raise InputError(
            f"there must be a matrix with {NARROW} outputs or more to quantise",
            received=f"{', '.join(chosen)}, which {'has' if len(chosen) == 1 else 'have'} none in this model",
            fix=f"choose from {', '.join(others)}" if others else "choose a precision without integers",
        )
    return found


def told_left(fact: Mapping[str, Any], precision: str) -> str:
    """Return in one line what an export left out of the integers, and why.

    Args:
        fact: What stands at :data:`LEFT`: ``parts``, and of the artifact with all parts in ``precision`` either
            ``metric``, its ``drop`` and ``max_drop``, in points, or ``missed``: what of parity; ``kept_in``, where it
            is another precision than fp32.
        precision: Of the artifact.
    """
    if "missed" in fact:
        why = f"missed parity: {fact['missed']}"
    else:
        why = f"dropped {fact['metric']} by {fact['drop']:.2f} points, {fact['max_drop']:.2f} allowed"
    return f"left in {fact.get('kept_in', 'fp32')}: {', '.join(fact['parts'])} ({precision} {why})"
