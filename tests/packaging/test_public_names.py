"""The public names, pinned: adding or removing one is a decision, made here."""

from __future__ import annotations

import pytest

import albert_export

PUBLIC_NAMES = [
    "AlbertConfig",
    "AlbertExportError",
    "AlbertForMaskedLM",
    "AlbertForMultipleChoice",
    "AlbertForPreTraining",
    "AlbertForQuestionAnswering",
    "AlbertForSequenceClassification",
    "AlbertForTokenClassification",
    "AlbertModel",
    "AlbertTokenizer",
    "AlbertTokenizerFast",
    "AlbertWordPieceTokenizer",
    "Bundle",
    "ParityReport",
    "Runtime",
    "__version__",
    "check_parity",
    "export",
    "load",
    "load_tokenizer",
    "pipeline",
]


def test_the_public_names_are_these() -> None:
    assert sorted(albert_export.__all__) == PUBLIC_NAMES
    assert dir(albert_export) == PUBLIC_NAMES


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_each_public_name_resolves_to_an_object_of_that_name(name: str) -> None:
    value = getattr(albert_export, name)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__doc__


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'AlbertForEverything'"):
        _ = albert_export.AlbertForEverything  # type: ignore[attr-defined]
