"""Imported before torch by every module of the PyTorch models: a missing torch then names the extra to install."""

from __future__ import annotations

from albert_export._imports import require

require("torch", needed_for="using the PyTorch models", extra="onnx")
