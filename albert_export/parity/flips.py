"""The decisions that an artifact takes otherwise, in words: on which text, and what it decides instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albert_export.errors import InputError
from albert_export.parity.cases import Case
from albert_export.parity.criteria import Flip, Pool
from albert_export.positions import POSITIONS
from albert_export.tasks import Task, TensorSpec

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

#: Flips of one output that a report tells one by one: those with the widest margins. The counts have them all.
MOST_TOLD = 50


@dataclass(frozen=True)
class FlippedDecision:
    """One decision that an artifact takes otherwise than the eager model.

    Attributes:
        output: Name of the output.
        case: Name of the case.
        row: Row of the case, or item of multiple choice, from 0.
        at: The token or label that was decided about; empty where the whole row was.
        expected: What the eager model decides.
        got: What the artifact decides.
        margin: Distance in float64 from the decision taken to the next best, in the unit of the output.
        clear: Whether that is well above the error: more than a tie.
        text: The row as text; empty without a tokenizer. A row of random ids has no meaning.
    """

    output: str
    case: str
    row: int
    at: str
    expected: str
    got: str
    margin: float
    clear: bool
    text: str


def tell_flips(
    task: Task, config: AlbertConfig, tokenizer: Any | None, cases: Sequence[Case], pools: Mapping[str, Pool]
) -> tuple[FlippedDecision, ...]:
    """Return the flips of all outputs, those with the widest margins first.

    Args:
        task: The head.
        config: Names the labels.
        tokenizer: Makes text of ids; None for none.
        cases: What was run.
        pools: Output -> its figures at real places.
    """
    teller = _Teller(config, tokenizer, {case.name: case for case in cases})
    told = []
    for spec in task.outputs:
        pool = pools[spec.name]
        for flip in sorted(pool.flipped, key=lambda flip: -flip.margin)[:MOST_TOLD]:
            told.append(teller.tell(spec, flip, pool.is_clear(flip)))
    return tuple(told)


class _Teller:
    """Finds words for indices."""

    def __init__(self, config: AlbertConfig, tokenizer: Any | None, cases: Mapping[str, Case]) -> None:
        self._config = config
        self._tokenizer = tokenizer
        self._cases = cases

    def tell(self, spec: TensorSpec, flip: Flip, clear: bool) -> FlippedDecision:
        case = self._cases[flip.case]
        row = flip.place[0]
        choice = (flip.expected,) if spec.axes[-1] == "choices" else ()
        ids = case.inputs["input_ids"][(row, *choice)]
        mask = case.inputs["attention_mask"][(row, *choice)].astype(bool)
        at = self._token(ids, flip.place[1]) if "sequence" in spec.axes[:-1] else ""
        if POSITIONS in spec.axes:
            at = self._token(ids, int(case.inputs[POSITIONS][flip.place[:2]]))
        if len(flip.place) == len(spec.axes):  # each of several labels is a decision of its own
            at = ", ".join(filter(None, (at, self._label(flip.place[-1]))))
            expected, got = ("holds" if holds else "does not hold" for holds in (flip.expected, flip.got))
        else:
            expected, got = (self._decided(spec, ids, index) for index in (flip.expected, flip.got))
        text = self._text(ids[mask].tolist())
        return FlippedDecision(spec.name, case.name, row, at, expected, got, flip.margin, clear, text)

    def _text(self, ids: list[int]) -> str:
        if self._tokenizer is None:
            return ""
        try:
            return str(self._tokenizer.decode(ids))
        except InputError:  # random ids, of which the model has more than the tokenizer
            return ""

    def _decided(self, spec: TensorSpec, ids: Any, index: int) -> str:
        kind = spec.axes[-1]
        if kind == "sequence":
            return self._token(ids, index)
        if kind == "vocab_size":
            return self._word(index)
        return f"choice {index}" if kind == "choices" else self._label(index)

    def _token(self, ids: Any, place: int) -> str:
        return f"token {place} {self._word(int(ids[place]))}"

    def _word(self, index: int) -> str:
        try:
            token = None if self._tokenizer is None else self._tokenizer.convert_ids_to_tokens(index)
        except InputError:
            token = None
        return f"id {index}" if token is None else str(token)

    def _label(self, index: int) -> str:
        return str(self._config.id2label.get(index, f"label {index}"))
