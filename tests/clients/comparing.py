"""Whether a client's answers are ours."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np

from albert_export.parity.criteria import Criterion, Pool, criterion_for, measure

#: Largest difference of a probability, or of a number of a vector of length 1, by the artifact's precision. Clients run
#: the same file as we do, in kernels of their own: an activation of int8 is now and then rounded to its neighbour, and
#: some compute fp16 in float32.
PROBABILITIES = {"fp32": 1e-4, "fp16": 2e-3, "int8": 2.5e-2}
#: Likewise of a logit or a number of a hidden state, which are up to ten.
OUTPUTS = {"fp32": 1e-3, "fp16": 1e-1, "int8": 5e-1}
#: Another processor rounds other sums. In int8 such runs are held to what parity holds artifacts in fp16 to: kernels on
#: ARM were 42 to 54 dB from those on x86, and the altered weight is 19 to 26 dB, which parity in int8 lets pass.
OUTPUTS_ELSEWHERE: dict[str, float | Criterion] = {"fp32": 1e-4, "int8": criterion_for("fp16")}


#: Outputs whose last axis is the sequence.
OF_TOKENS = ("start_logits", "end_logits")


def differences(theirs: list[Any], ours: list[Any], *, tolerance: float | Criterion) -> list[str]:
    """Return a line for each answer that is another one: texts must be equal, numbers equal to ``tolerance``.

    A criterion is for the outputs of runs: each output is held to it over all runs together.

    Texts are compared as the model saw them, since some clients decode the tokens instead of cutting the text.
    """
    if len(theirs) != len(ours):
        return [f"{len(theirs)} answers to {len(ours)} questions"]
    if isinstance(tolerance, Criterion):
        return _outputs_beyond(tolerance, theirs, ours)
    lines = []
    for number, (their, our) in enumerate(zip(theirs, ours, strict=True)):
        if not _alike(their, our, tolerance):
            lines.append(f"question {number}: theirs {_short(their)}, ours {_short(our)}")
    return lines


def _outputs_beyond(criterion: Criterion, theirs: list[Any], ours: list[Any]) -> list[str]:
    pools: dict[str, Pool] = {}
    for their, our in zip(theirs, ours, strict=True):
        if their.keys() != our.keys():
            return [f"outputs {', '.join(their)} instead of {', '.join(our)}"]
        for name in our:
            exact, got = np.asarray(our[name], np.float64), np.asarray(their[name], np.float64)
            if exact.shape != got.shape:
                return [f"{name} of shape {got.shape} instead of {exact.shape}"]
            # As in parity, each label or hidden unit has a mean of its own, which a bias gives it.
            where, by_entry = np.ones(exact.shape[:1], bool), name not in OF_TOKENS
            pool = measure(name, exact, exact.astype(np.float32), got, where, by_entry=by_entry)
            pools.setdefault(name, Pool()).add(pool)
    return [
        f"{name}: {pool.snr_db:.1f} dB, cosine {pool.cosine:.4f}, gain {pool.gain:.3f}"
        for name, pool in pools.items()
        if not criterion.passes(pool)
    ]


def _alike(their: Any, our: Any, tolerance: float) -> bool:
    if isinstance(our, dict) and "tokens" in our:
        return isinstance(their, dict) and their.keys() == our.keys() and _ranked_alike(their, our, tolerance)
    if isinstance(our, dict):
        return (
            isinstance(their, dict)
            and their.keys() == our.keys()
            and all(_alike(their[key], our[key], tolerance) for key in our)
        )
    if isinstance(our, list):
        return (
            isinstance(their, list)
            and len(their) == len(our)
            and all(_alike(one, other, tolerance) for one, other in zip(their, our, strict=True))
        )
    if isinstance(our, str):
        return isinstance(their, str) and seen(their) == seen(our)
    # Written so that a NaN is alike to nothing.
    return isinstance(their, (int, float)) and abs(their - our) <= tolerance


def _ranked_alike(their: dict[str, Any], our: dict[str, Any], tolerance: float) -> bool:
    """Whether the best tokens are the same: those as good as each other may change places, or one follow the last."""
    theirs, ours = (dict(zip(map(seen, one["tokens"]), one["scores"], strict=True)) for one in (their, our))
    least = max(min(theirs.values()), min(ours.values()))
    return len(their["tokens"]) == len(our["tokens"]) and all(
        abs(theirs.get(each, least) - ours.get(each, least)) <= tolerance for each in theirs.keys() | ours.keys()
    )


def seen(text: str) -> str:
    """Return a text without what the tokenizer drops: case, accents, white space, the two other quotation marks."""
    plain = text.replace("``", '"').replace("''", '"')
    letters = unicodedata.normalize("NFKD", plain)
    return "".join(letter for letter in letters if not unicodedata.combining(letter) and not letter.isspace()).lower()


def _short(answer: Any) -> str:
    text = repr(answer)
    return text if len(text) <= 160 else f"{text[:157]}…"
