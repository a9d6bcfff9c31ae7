"""The sharing guarantee: an artifact stores each unique parameter once, and little else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from albert_export.errors import SharingError

#: What a file may hold besides weights: this share of them, or this many bytes, whichever is larger.
REST_SHARE = 0.05
REST_BYTES = 512 * 1024


@dataclass(frozen=True)
class Sharing:
    """What an artifact stores, in bytes.

    Attributes:
        unique_parameter_bytes: The model's parameters, each counted once.
        stored_weight_bytes: The artifact's weights, each counted as often as it is stored.
        rest_bytes: The rest of the artifact's files: graph, names, metadata, buffers.
    """

    unique_parameter_bytes: int
    stored_weight_bytes: int
    rest_bytes: int

    @property
    def ratio(self) -> float:
        """Stored over unique: 1.0 when nothing is copied, 12 when each of 12 layers has a copy of its own."""
        return self.stored_weight_bytes / self.unique_parameter_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for the manifest."""
        return {
            "unique_parameter_bytes": self.unique_parameter_bytes,
            "stored_weight_bytes": self.stored_weight_bytes,
            "rest_bytes": self.rest_bytes,
            "ratio": round(self.ratio, 6),
        }

    def check(self, after: str) -> None:
        """Hold the figures to the guarantee.

        Args:
            after: The step that was just done, for the message.

        Raises:
            SharingError: A weight is stored more than once, or the rest is too large.
        """
        if self.stored_weight_bytes > self.unique_parameter_bytes:
            raise SharingError(
                f"after {after} the artifact must store each weight once",
                received=f"{self.stored_weight_bytes} bytes of weights for {self.unique_parameter_bytes} unique ones",
            )
        allowed = max(REST_SHARE * self.unique_parameter_bytes, REST_BYTES)
        if self.rest_bytes > allowed:
            raise SharingError(
                f"after {after} the artifact must hold at most {int(allowed)} bytes besides its weights",
                received=f"{self.rest_bytes} bytes",
            )
