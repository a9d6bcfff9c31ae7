"""The stages of the training: what each reads, how long, and how it is told. It has one.

It begins with short questions alone; the other tasks come in after a ninth, usual questions after a fifth, multiple
choice after a quarter, long questions after half; the short texts end on the way. From three tenths of the steps on,
other words stand for the names in more and more rows about names (:mod:`tools.mini.renaming`), and after two fifths
Muon takes over from AdamW (:mod:`tools.mini.schedule`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.mini.data import Counts, Spells, hash_of
from tools.mini.train import Training

#: Where the tasks begin before which the first questions are alone. A model that learns everything at once is content
#: for long with what words alone tell of a question; one that begins with short texts and questions finds within two
#: million tokens how to look an answer up, and keeps it.
ALONE = 0.11

#: Modules here on which weights and words read depend, beside those on which the texts do.
_TRAINS = ("batches", "losses", "masking", "model", "renaming", "schedule", "train", "words_read")


@dataclass(frozen=True)
class Stage:
    """One pass over texts of its own.

    Attributes:
        name: Names its directory.
        seed: Of its texts.
        counts: (task, length; None for the usual one) -> items.
        training: How.
        begin: Part of the stage at which items begin to come, which then do until its end ...
        spells: ... where these do not say from where to where.
    """

    name: str
    seed: int
    counts: Counts
    training: Training
    begin: float = 0.0
    spells: Spells = field(default_factory=dict)

    def changed(self, counts: Mapping[tuple[str, str | None], int], settings: Mapping[str, Any]) -> Stage:
        """Return the stage with other numbers of its items, of which 0 leaves a set out, and other settings."""
        kept = {key: counts.get(key, count) for key, count in self.counts.items() if counts.get(key, count) > 0}
        return replace(self, counts=kept, training=replace(self.training, **settings))


STAGES = (
    Stage(
        "whole",
        11,
        {
            ("question-answering", "short"): 75_000,
            ("question-answering", None): 115_000,
            ("question-answering", "long"): 3_000,
            ("token-classification", None): 88_000,
            ("text-classification", "short"): 15_000,
            ("text-classification", None): 70_000,
            ("multiple-choice", None): 24_000,
            ("fill-mask", None): 10_000,
            ("pretraining", None): 10_000,
            ("feature-extraction", None): 8_000,
            ("words", None): 3_000,
        },
        Training(small=0.5, renamed=0.5, renaming=(0.3, 0.45), muon=0.4, look=3000),
        begin=ALONE,
        spells={
            ("question-answering", "short"): (0.0, 0.36),
            ("question-answering", None): (0.2, 1.0),
            ("question-answering", "long"): (0.5, 1.0),
            ("text-classification", "short"): (ALONE, 0.5),
            ("multiple-choice", None): (0.25, 1.0),
        },
    ),
)


def stage_directories(run: Path, stages: Sequence[Stage], shape: Mapping[str, int]) -> list[Path]:
    """Return the directory of each stage of a run: another one where anything before or in it is told otherwise.

    What tells it is the code that trains as well.

    Args:
        run: Directory of the run.
        stages: Its stages, in order.
        shape: Sizes of the model that are not the usual ones.
    """
    directories = []
    here = Path(__file__).resolve().parent
    told = f"{hash_of(*(here / f'{name}.py' for name in _TRAINS))} {sorted(shape.items())}"
    for stage in stages:
        told = hashlib.blake2b(f"{told} {stage}".encode(), digest_size=4).hexdigest()
        directories.append(run / f"{stage.name}-{told}")
    return directories
