"""Pairing the names in a file with the parameters of a model: every name is consumed, excused by the table, or told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from albert_export.checkpoints.names import LEFTOVERS, OLD_ENDINGS, PREFIX, TIED_COPY_REASON

#: First parts of the names of a bare ``AlbertModel``, which carry no ``albert.`` prefix.
_BARE = ("embeddings.", "encoder.", "pooler.")


@dataclass(frozen=True)
class Matching:
    """Which stored weight fills which parameter.

    Attributes:
        renames: Name in the file -> name in the model; no parameter appears twice.
        missing: Parameters that nothing in the file fills, by their name in the model, sorted.
        unexpected: Names in the file that neither fill a parameter nor may be left over, sorted.
        ignored: Name in the file -> why it may be left over.
    """

    renames: Mapping[str, str]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    ignored: Mapping[str, str]


def canonical_name(name: str) -> str:
    """Return the canonical spelling of a name found in a checkpoint or a model: prefixed, in today's endings."""
    if name.startswith(_BARE):
        name = PREFIX + name
    for old, new in OLD_ENDINGS.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def match_names(available: Iterable[str], wanted: Iterable[str], *, tied: Mapping[str, str] | None = None) -> Matching:
    """Pair stored names with a model's parameters.

    A bare encoder fills a model with a head and the other way round. Where a file holds both names of a tied
    parameter, the second name (the decoder's) is read and the first is left over, as in the reference, whose torch
    loader meets the decoder last: a file in which the two differ gives the same model in both. Any other name that
    occurs in two spellings is taken once; the further spelling is unexpected.

    Args:
        available: Names in the file.
        wanted: Names in the model; second names of tied parameters may be among them or not.
        tied: Second name -> canonical name of tied parameters, from :func:`albert_export.checkpoints.names.tied_names`.
    """
    tied = tied or {}
    stored = sorted(available)
    wanted_by_canonical = {canonical_name(name): name for name in wanted}
    # A second name is no parameter of its own when the first is wanted too.
    parameters = {name: raw for name, raw in wanted_by_canonical.items() if tied.get(name) not in wanted_by_canonical}
    # Tied names concern a model that has the head they belong to; for others the table excuses them.
    heads = {name.partition(".")[0] for name in wanted_by_canonical}
    aliases = {second: first for second, first in tied.items() if second.partition(".")[0] in heads}

    filled: dict[str, str] = {}  # parameter -> stored name
    ignored: dict[str, str] = {}
    unexpected: list[str] = []
    # Second names first, so that they win.
    for name in sorted(stored, key=lambda name: canonical_name(name) not in aliases):
        canonical = canonical_name(name)
        parameter = aliases.get(canonical, canonical)
        if parameter in parameters:
            if parameter not in filled:
                filled[parameter] = name
            elif canonical_name(filled[parameter]) in aliases and canonical not in aliases:
                ignored[name] = TIED_COPY_REASON
            else:
                unexpected.append(name)
            continue
        reason = _leftover_reason(canonical, wanted_by_canonical)
        if reason is None:
            unexpected.append(name)
        else:
            ignored[name] = reason
    return Matching(
        renames={name: parameters[parameter] for parameter, name in sorted(filled.items())},
        missing=tuple(sorted(raw for name, raw in parameters.items() if name not in filled)),
        unexpected=tuple(sorted(unexpected)),
        ignored=dict(sorted(ignored.items())),
    )


def _leftover_reason(canonical: str, wanted: Iterable[str]) -> str | None:
    for row in LEFTOVERS:
        if canonical in row.names and (row.unless is None or not any(name.startswith(row.unless) for name in wanted)):
            return row.reason
    return None


def check_shapes(
    matching: Matching, stored: Mapping[str, Sequence[int]], model: Mapping[str, Sequence[int]]
) -> tuple[str, ...]:
    """Return one line for each paired weight whose stored shape is not the model's, sorted; none is good.

    Args:
        matching: The pairs.
        stored: Name in the file -> shape.
        model: Name in the model -> shape.

    Returns:
        Lines ``name in the model: shape in the checkpoint against shape in the model``, as
        :class:`~albert_export.errors.WeightsMismatchError` takes them.
    """
    return tuple(
        sorted(
            f"{parameter}: {list(stored[name])} against {list(model[parameter])}"
            for name, parameter in matching.renames.items()
            if tuple(stored[name]) != tuple(model[parameter])
        )
    )
