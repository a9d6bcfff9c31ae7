"""Imported before jax and flax by every module of the Flax models: what is missing then names the extra to install."""

from __future__ import annotations

from albert_export._imports import require
from albert_export._jax import import_jax

import_jax(needed_for="using the Flax models")
require("flax", needed_for="using the Flax models", extra="jax")
