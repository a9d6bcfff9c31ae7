"""The tiny checkpoints and bundles of the parity tests."""

from __future__ import annotations

from tests.parity.conftest import bundle_of, checkpoint_of, one_thread

__all__ = ["bundle_of", "checkpoint_of", "one_thread"]
