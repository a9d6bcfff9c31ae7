"""Optimisation profiles: for which shapes an engine is built.

An engine with dynamic axes takes shapes between the smallest and the largest of one of its profiles, and is tuned for
the one in between. A profile is written as these three, the sizes of each joined by ``x`` in the order of the inputs'
axes: ``1x16,8x128,32x384`` is batch 1 to 32 and sequence 16 to 384, tuned for 8 rows of 128 tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from albert_export.errors import BundleError, InputError
from albert_export.tasks import Task

#: Sizes of the shape that a default profile begins with, is tuned for, and ends with; the sequence ends with what the
#: model takes.
_DEFAULT = {"batch": (1, 8, 32), "choices": (2, 2, 4), "sequence": (1, 128, None)}

#: TensorRT counts a profile's shapes in 32 bits.
_LARGEST = 2**31 - 1

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Profile:
    """Shapes of one optimisation profile, in the order of the inputs' axes.

    Attributes:
        axes: Names of the axes: ``batch``, ``choices`` for multiple choice, ``sequence``.
        smallest: Sizes that no input falls below.
        tuned: Sizes that kernels are chosen for.
        largest: Sizes that no input exceeds; device memory is planned for them.
    """

    axes: tuple[str, ...]
    smallest: Sizes
    tuned: Sizes
    largest: Sizes

    def __str__(self) -> str:
        return ",".join("x".join(map(str, sizes)) for sizes in self.shapes)

    @property
    def shapes(self) -> tuple[Sizes, Sizes, Sizes]:
        """The three shapes, in the order in which they are written."""
        return self.smallest, self.tuned, self.largest

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values for the manifest, which :func:`read_profiles` reads."""
        return {
            "axes": list(self.axes),
            "min": list(self.smallest),
            "opt": list(self.tuned),
            "max": list(self.largest),
        }


def read_profiles(facts: Sequence[Mapping[str, Any]]) -> tuple[Profile, ...]:
    """Return the profiles that a manifest tells.

    Raises:
        BundleError: It tells them in another form.
    """
    try:
        profiles = tuple(
            Profile(tuple(map(str, entry["axes"])), *(tuple(map(int, entry[name])) for name in ("min", "opt", "max")))
            for entry in facts
        )
        if any(len(sizes) != len(profile.axes) for profile in profiles for sizes in profile.shapes):
            raise ValueError("a size for each axis")
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            "the manifest must tell the profiles that an engine was built with",
            received=repr(facts)[:200],
            fix="export it again",
        ) from error
    return profiles


def parse_profiles(
    texts: Sequence[str], task: Task, *, longest: int, sizes: Mapping[str, int | None]
) -> tuple[Profile, ...]:
    """Return the profiles that a user wrote, or a default one where there are none.

    Args:
        texts: Each ``MIN,OPT,MAX``; a single one may stand for itself.
        task: Gives the axes of its inputs.
        longest: The model's ``max_position_embeddings``.
        sizes: Fixed size of each dynamic axis, or None.

    Raises:
        InputError: A profile is not of this form, is out of order, exceeds the model, or has another size than the
            fixed one; two are the same.
    """
    axes = tuple(str(axis) for axis in task.inputs[0].axes)
    texts = (texts,) if isinstance(texts, str) else texts
    profiles = tuple(_parse(text, axes) for text in texts) or (_default(axes, longest, sizes),)
    for profile in profiles:
        _check(profile, longest, sizes)
    if len(set(profiles)) < len(profiles):
        raise InputError(
            "every profile must be given once", received=" ".join(map(str, profiles)), fix="leave out the second"
        )
    return profiles


def _parse(text: str, axes: tuple[str, ...]) -> Profile:
    form = ",".join(["x".join(axis.upper() for axis in axes)] * 3)
    example = _default(axes, 128, {})
    parts = text.split(",") if isinstance(text, str) else []
    shapes = [re.fullmatch(r"\s*\d{1,10}(?:x\d{1,10})*\s*", part) for part in parts]
    if len(shapes) != 3 or not all(shapes):
        raise InputError(
            f"a profile must be its smallest, tuned and largest shape: {form}",
            received=text,
            fix=f"write it like {example}",
        )
    smallest, tuned, largest = (tuple(int(size) for size in part.strip().split("x")) for part in parts)
    if {len(smallest), len(tuned), len(largest)} != {len(axes)}:
        raise InputError(
            f"every shape of a profile must have the axes {'x'.join(axes)}",
            received=text,
            fix=f"write it like {example}",
        )
    return Profile(axes, smallest, tuned, largest)


def _default(axes: tuple[str, ...], longest: int, sizes: Mapping[str, int | None]) -> Profile:
    columns = []
    for axis in axes:
        fixed = sizes.get(axis)
        low, tuned, high = (fixed,) * 3 if fixed is not None else _DEFAULT[axis]
        high = longest if high is None else high
        columns.append((min(low, high), min(tuned, high), high))
    smallest, tuned_sizes, largest = (tuple(column[index] for column in columns) for index in range(3))
    return Profile(axes, smallest, tuned_sizes, largest)


def _check(profile: Profile, longest: int, sizes: Mapping[str, int | None]) -> None:
    for axis, low, tuned, high in zip(profile.axes, *profile.shapes, strict=True):
        if not 1 <= low <= tuned <= high <= _LARGEST:
            raise InputError(
                f"sizes of a profile must not fall from its smallest to its largest shape, and be from 1 to {_LARGEST}",
                received=f"{axis} {low}, {tuned}, {high} in {profile}",
                fix="order them: smallest, tuned, largest",
            )
        if axis == "sequence" and high > longest:
            raise InputError(
                f"a profile's sequence must be at most max_position_embeddings, which is {longest}",
                received=f"{high} in {profile}",
                fix=f"end the profile with {longest} or less",
            )
        fixed = sizes.get(axis)
        if fixed is not None and {low, tuned, high} != {fixed}:
            raise InputError(
                f"{axis} is fixed to {fixed}, and so must be in every profile",
                received=f"{axis} {low}, {tuned}, {high} in {profile}",
                fix=f"write {fixed} for {axis}, or leave --{axis} out",
            )


def choose_profile(profiles: Sequence[Profile], shape: Sequence[int]) -> tuple[int, Sizes]:
    """Return the index of the profile for an input, and the shape that the input has to be padded to for it.

    Of the profiles that the input does not exceed it is the one that pads it least, and of those the one whose largest
    shape is smallest.

    Raises:
        InputError: The input exceeds every profile.
    """
    padded = {
        index: tuple(map(max, shape, profile.smallest))
        for index, profile in enumerate(profiles)
        if len(shape) == len(profile.axes)
        and all(size <= most for size, most in zip(shape, profile.largest, strict=True))
    }
    if not padded:
        told = " or ".join(
            " to ".join("x".join(map(str, sizes)) for sizes in (profile.smallest, profile.largest))
            for profile in profiles
        )
        raise InputError(
            f"inputs of this engine must be of a shape from {told}",
            received="x".join(map(str, shape)),
            fix="run fewer or shorter rows at a time, or build the engine with another --profile",
        )
    chosen = min(padded, key=lambda index: (_elements(padded[index]), _elements(profiles[index].largest)))
    return chosen, padded[chosen]


def longest_row(profiles: Sequence[Profile]) -> int:
    """Return the most tokens that a row may have in one of the profiles."""
    return max(profile.largest[profile.axes.index("sequence")] for profile in profiles)


def most_of(profiles: Sequence[Profile], axis: str) -> int | None:
    """Return the most of ``batch`` or ``choices`` that goes with every length; None where there is no such axis.

    A row of the longest length lies in one of the profiles, and which it is depends on that length: what every profile
    takes of another axis goes with all.
    """
    sizes = [profile.largest[profile.axes.index(axis)] for profile in profiles if axis in profile.axes]
    return min(sizes, default=None)


def _elements(shape: Sequence[int]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product
