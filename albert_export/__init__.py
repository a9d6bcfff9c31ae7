"""albert-export: compile ALBERT checkpoints, keep the shared layer shared, prove the result equals the eager model.

Every public name is resolved when it is first used (PEP 562), so that importing the package imports no framework.
"""

from __future__ import annotations

import importlib
from typing import Any

from albert_export._version import __version__

#: Public name -> the module that defines it.
_EXPORTS = {
    "AlbertConfig": "albert_export.config",
    "AlbertExportError": "albert_export.errors",
    "AlbertForMaskedLM": "albert_export.models.torch_albert",
    "AlbertForMultipleChoice": "albert_export.models.torch_albert",
    "AlbertForPreTraining": "albert_export.models.torch_albert",
    "AlbertForQuestionAnswering": "albert_export.models.torch_albert",
    "AlbertForSequenceClassification": "albert_export.models.torch_albert",
    "AlbertForTokenClassification": "albert_export.models.torch_albert",
    "AlbertModel": "albert_export.models.torch_albert",
    "AlbertTokenizer": "albert_export.tokenization",
    "AlbertTokenizerFast": "albert_export.tokenization",
    "AlbertWordPieceTokenizer": "albert_export.tokenization",
    "Bundle": "albert_export.bundle",
    "ParityReport": "albert_export.parity",
    "Runtime": "albert_export.runtimes",
    "check_parity": "albert_export.parity",
    "export": "albert_export.export",
    "load": "albert_export.runtimes",
    "load_tokenizer": "albert_export.tokenization",
    "pipeline": "albert_export.pipelines",
}

__all__ = ["__version__", *_EXPORTS]  # the keys are literals above


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
