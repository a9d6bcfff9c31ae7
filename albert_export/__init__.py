"""albert-export: compile ALBERT checkpoints, keep the shared layer shared, prove the result equals the eager model.

Every public name is resolved when it is first used (PEP 562), so that importing the package imports no framework.
No module has the name of a public function: importing the module would put it in the function's place.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from albert_export._version import __version__

if TYPE_CHECKING:  # the same names for type checkers and editors; a test compares the two lists
    from albert_export.bundle import Bundle as Bundle
    from albert_export.config import AlbertConfig as AlbertConfig
    from albert_export.converting import convert as convert
    from albert_export.errors import AlbertExportError as AlbertExportError
    from albert_export.exporting import export as export
    from albert_export.models.flax_albert import FlaxAlbertForMaskedLM as FlaxAlbertForMaskedLM
    from albert_export.models.flax_albert import FlaxAlbertForMultipleChoice as FlaxAlbertForMultipleChoice
    from albert_export.models.flax_albert import FlaxAlbertForPreTraining as FlaxAlbertForPreTraining
    from albert_export.models.flax_albert import FlaxAlbertForQuestionAnswering as FlaxAlbertForQuestionAnswering
    from albert_export.models.flax_albert import (
        FlaxAlbertForSequenceClassification as FlaxAlbertForSequenceClassification,
    )
    from albert_export.models.flax_albert import FlaxAlbertForTokenClassification as FlaxAlbertForTokenClassification
    from albert_export.models.flax_albert import FlaxAlbertModel as FlaxAlbertModel
    from albert_export.models.tf_albert import TFAlbertForMaskedLM as TFAlbertForMaskedLM
    from albert_export.models.tf_albert import TFAlbertForMultipleChoice as TFAlbertForMultipleChoice
    from albert_export.models.tf_albert import TFAlbertForPreTraining as TFAlbertForPreTraining
    from albert_export.models.tf_albert import TFAlbertForQuestionAnswering as TFAlbertForQuestionAnswering
    from albert_export.models.tf_albert import TFAlbertForSequenceClassification as TFAlbertForSequenceClassification
    from albert_export.models.tf_albert import TFAlbertForTokenClassification as TFAlbertForTokenClassification
    from albert_export.models.tf_albert import TFAlbertModel as TFAlbertModel
    from albert_export.models.torch_albert import AlbertForMaskedLM as AlbertForMaskedLM
    from albert_export.models.torch_albert import AlbertForMultipleChoice as AlbertForMultipleChoice
    from albert_export.models.torch_albert import AlbertForPreTraining as AlbertForPreTraining
    from albert_export.models.torch_albert import AlbertForQuestionAnswering as AlbertForQuestionAnswering
    from albert_export.models.torch_albert import AlbertForSequenceClassification as AlbertForSequenceClassification
    from albert_export.models.torch_albert import AlbertForTokenClassification as AlbertForTokenClassification
    from albert_export.models.torch_albert import AlbertModel as AlbertModel
    from albert_export.parity import ParityReport as ParityReport
    from albert_export.parity import check_parity as check_parity
    from albert_export.pipelines import pipeline as pipeline
    from albert_export.runtimes import Runtime as Runtime
    from albert_export.runtimes import load as load
    from albert_export.tokenization import AlbertTokenizer as AlbertTokenizer
    from albert_export.tokenization import AlbertTokenizerFast as AlbertTokenizerFast
    from albert_export.tokenization import AlbertWordPieceTokenizer as AlbertWordPieceTokenizer
    from albert_export.tokenization import load_tokenizer as load_tokenizer

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
    "FlaxAlbertForMaskedLM": "albert_export.models.flax_albert",
    "FlaxAlbertForMultipleChoice": "albert_export.models.flax_albert",
    "FlaxAlbertForPreTraining": "albert_export.models.flax_albert",
    "FlaxAlbertForQuestionAnswering": "albert_export.models.flax_albert",
    "FlaxAlbertForSequenceClassification": "albert_export.models.flax_albert",
    "FlaxAlbertForTokenClassification": "albert_export.models.flax_albert",
    "FlaxAlbertModel": "albert_export.models.flax_albert",
    "ParityReport": "albert_export.parity",
    "Runtime": "albert_export.runtimes",
    "TFAlbertForMaskedLM": "albert_export.models.tf_albert",
    "TFAlbertForMultipleChoice": "albert_export.models.tf_albert",
    "TFAlbertForPreTraining": "albert_export.models.tf_albert",
    "TFAlbertForQuestionAnswering": "albert_export.models.tf_albert",
    "TFAlbertForSequenceClassification": "albert_export.models.tf_albert",
    "TFAlbertForTokenClassification": "albert_export.models.tf_albert",
    "TFAlbertModel": "albert_export.models.tf_albert",
    "check_parity": "albert_export.parity",
    "convert": "albert_export.converting",
    "export": "albert_export.exporting",
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
