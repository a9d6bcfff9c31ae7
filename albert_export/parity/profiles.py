"""How large the cases of an engine may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albert_export.engines.profiles import longest_row, most_of, read_profiles

if TYPE_CHECKING:
    from albert_export.bundle import Artifact
    from albert_export.config import AlbertConfig


def longest_of(artifact: Artifact, config: AlbertConfig | None = None) -> int | None:
    """Return the most tokens of a row that an engine's profiles take; None where it is what the model takes.

    Args:
        artifact: Its entry in the manifest.
        config: Of the model; None to return the number whatever the model takes.
    """
    profiles = read_profiles(artifact.facts.get("profiles", ()))
    if not profiles:
        return None
    longest = longest_row(profiles)
    return None if config is not None and longest >= config.max_position_embeddings else longest


def choices_of(artifact: Artifact) -> int | None:
    """Return the most choices that an engine's profiles take in rows of every length; None where nothing bounds them.

    Args:
        artifact: Its entry in the manifest.
    """
    return most_of(read_profiles(artifact.facts.get("profiles", ())), "choices")
