"""Which stored weight fills which weight of a model, in every framework: completely, or it raises with both lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from albert_export.checkpoints.matching import canonical_name, check_shapes, match_names
from albert_export.checkpoints.names import TIED_COPY_REASON, parameters, tied_names
from albert_export.config import AlbertConfig
from albert_export.errors import CheckpointError, WeightsMismatchError
from albert_export.tasks import TASKS

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Loaded:
    """What filling a model did.

    Attributes:
        fresh: Parameters that were filled freshly, by their name in the model, sorted.
        mismatched: Of those, the ones the checkpoint holds in another shape: (name, stored shape, the model's shape).
        left_over: Stored name -> why the model has no place for it.
    """

    fresh: tuple[str, ...]
    mismatched: tuple[tuple[str, Shape, Shape], ...]
    left_over: Mapping[str, str]

    def warning(self, model: str, source: str) -> str:
        """Return the sentence that names the fresh parameters of ``model``, which was filled from ``source``."""
        shapes = {name: f" ({list(stored)} stored, {list(needed)} needed)" for name, stored, needed in self.mismatched}
        names = ", ".join(name + shapes.get(name, "") for name in self.fresh)
        return f"these weights of {model} are not in {source} and were filled freshly, train them before use: {names}"

    def info(self) -> dict[str, list[Any]]:
        """Return what ``from_pretrained(output_loading_info=True)`` of the reference gives."""
        mismatched = {name for name, _, _ in self.mismatched}
        return {
            "missing_keys": [name for name in self.fresh if name not in mismatched],
            # the reference knows the decoder's copies and the old buffers as its own
            "unexpected_keys": [
                name
                for name, reason in self.left_over.items()
                if reason != TIED_COPY_REASON and not name.endswith(("position_ids", "token_type_ids"))
            ],
            "mismatched_keys": list(self.mismatched),
            "error_msgs": [],
        }


@dataclass(frozen=True)
class Plan:
    """What is to be done to fill a model.

    Attributes:
        sources: Name in the model -> stored name of its weight.
        loaded: What was found; all its ``fresh`` names are to be filled freshly.
    """

    sources: Mapping[str, str]
    loaded: Loaded


def plan(
    config: AlbertConfig,
    *,
    stored: Mapping[str, Shape],
    wanted: Mapping[str, Shape],
    unusable: Mapping[str, str],
    may_be_fresh: Callable[[str], bool],
    ignore_mismatched_sizes: bool = False,
    fix: str | None = None,
) -> Plan:
    """Pair what is stored with what a model wants.

    Args:
        config: Says which names are tied.
        stored: Stored name -> shape.
        wanted: Name in the model -> shape that its weight has in a checkpoint.
        unusable: Stored names of what is no floating-point number -> dtype.
        may_be_fresh: Which weights may be filled freshly when nothing is stored for them.
        ignore_mismatched_sizes: Whether a stored weight of another shape is passed over.
        fix: What the user can do about missing weights.

    Raises:
        WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
        CheckpointError: A weight that is needed is no floating-point number.
    """
    matching = match_names(stored, wanted, tied=tied_names(config))
    differing = check_shapes(matching, stored, wanted)
    missing = [name for name in matching.missing if not may_be_fresh(name)]
    if missing or matching.unexpected or (differing and not ignore_mismatched_sizes):
        raise WeightsMismatchError(
            "every weight must have a place in the model and every parameter a weight of its shape",
            missing=missing,
            unexpected=matching.unexpected,
            mismatched=differing,
            fix=fix if missing else None,
        )
    whole = [f"{name}: {unusable[name]}" for name in matching.renames if name in unusable]
    if whole:  # quantised ones, whose scales are elsewhere: read as they are, they would give another model
        raise CheckpointError(
            "weights must be floating-point numbers",
            received=", ".join(whole),
            fix="give the checkpoint from before its quantisation",
        )
    mismatched = tuple(
        (name, stored[source], wanted[name])
        for source, name in matching.renames.items()
        if stored[source] != wanted[name]
    )
    fresh = {*matching.missing, *(name for name, _, _ in mismatched)}
    sources = {name: source for source, name in matching.renames.items() if name not in fresh}
    return Plan(sources, Loaded(tuple(sorted(fresh)), mismatched, matching.ignored))


def heads_in(config: AlbertConfig, stored: Mapping[str, Shape]) -> list[str]:
    """Return the tasks whose every weight is stored, in the shape the configuration gives."""
    shapes = {canonical_name(name): shape for name, shape in stored.items()}
    return [task.name for task in TASKS if parameters(config, task).items() <= shapes.items()]


def is_head(name: str) -> bool:
    """Return whether a parameter belongs to a head or the pooler, which other heads' checkpoints lack."""
    name = canonical_name(name)
    return not name.startswith("albert.") or name.startswith("albert.pooler.")
