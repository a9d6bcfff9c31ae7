"""Imported before tensorflow by every module of the TensorFlow models: what is missing then names its remedy."""

from __future__ import annotations

from albert_export._imports import require
from albert_export._tensorflow import import_tensorflow
from albert_export.errors import ConfigError

import_tensorflow(needed_for="using the TensorFlow models")
keras = require("keras", needed_for="using the TensorFlow models", extra="tensorflow")
if keras.backend.backend() != "tensorflow":
    raise ConfigError(
        "the TensorFlow models need Keras on its TensorFlow backend",
        received=keras.backend.backend(),
        fix="set KERAS_BACKEND=tensorflow before Keras is first imported",
    )
