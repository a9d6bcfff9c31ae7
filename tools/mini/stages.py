"""The stages of the training: what each reads, how long, and how it is told.

The first teaches everything, from short questions on. The others read other texts, mostly questions and names, and in
half of those other words in the place of the names (:mod:`tools.mini.renaming`); each takes smaller steps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tools.mini.data import Counts, Spells
from tools.mini.train import Training

#: Where the tasks begin before which the first questions are alone. A model that learns everything at once is content
#: for long with what words alone tell of a question; one that begins with short texts and questions finds within two
#: million tokens how to look an answer up, and keeps it.
ALONE = 0.15


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
        "first",
        11,
        {
            ("question-answering", "short"): 75_000,
            ("question-answering", None): 60_000,
            ("question-answering", "long"): 3_000,
            ("token-classification", None): 45_000,
            ("text-classification", "short"): 25_000,
            ("text-classification", None): 90_000,
            ("multiple-choice", None): 25_000,
            ("fill-mask", None): 22_000,
            ("pretraining", None): 24_000,
            ("feature-extraction", None): 20_000,
            ("words", None): 8_000,
        },
        Training(),
        begin=ALONE,
        spells={
            ("question-answering", "short"): (0.0, 0.5),
            ("text-classification", "short"): (ALONE, 0.6),
            ("question-answering", "long"): (0.5, 1.0),
        },
    ),
    Stage(
        "second",
        12,
        {
            ("question-answering", None): 68_000,
            ("question-answering", "long"): 4_000,
            ("token-classification", None): 28_000,
            ("text-classification", None): 18_000,
            ("multiple-choice", None): 8_000,
            ("fill-mask", None): 4_000,
            ("pretraining", None): 6_000,
            ("feature-extraction", None): 5_000,
            ("words", None): 2_000,
        },
        Training(peak=8e-4, warmup=100, seed=6, small=0.0, masked=0.25, renamed=0.5, look=500),
    ),
    Stage(
        "third",
        13,
        {
            ("question-answering", None): 36_000,
            ("question-answering", "long"): 1_500,
            ("token-classification", None): 20_000,
            ("text-classification", None): 5_000,
            ("multiple-choice", None): 4_000,
            ("fill-mask", None): 1_500,
            ("pretraining", None): 2_000,
            ("feature-extraction", None): 2_000,
            ("words", None): 700,
        },
        Training(peak=4e-4, warmup=100, seed=7, small=0.0, masked=0.1, renamed=0.5, look=500),
    ),
)


def stage_directories(run: Path, stages: Sequence[Stage], shape: Mapping[str, int]) -> list[Path]:
    """Return the directory of each stage of a run: another one where anything before or in it is told otherwise.

    Args:
        run: Directory of the run.
        stages: Its stages, in order.
        shape: Sizes of the model that are not the usual ones.
    """
    directories = []
    told = repr(sorted(shape.items()))
    for stage in stages:
        told = hashlib.blake2b(f"{told} {stage}".encode(), digest_size=4).hexdigest()
        directories.append(run / f"{stage.name}-{told}")
    return directories
