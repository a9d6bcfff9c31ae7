"""The public names, pinned: adding or removing one is a decision, made here."""

from __future__ import annotations

import ast
import pkgutil
from pathlib import Path

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
    "FlaxAlbertForMaskedLM",
    "FlaxAlbertForMultipleChoice",
    "FlaxAlbertForPreTraining",
    "FlaxAlbertForQuestionAnswering",
    "FlaxAlbertForSequenceClassification",
    "FlaxAlbertForTokenClassification",
    "FlaxAlbertModel",
    "ParityReport",
    "Runtime",
    "TFAlbertForMaskedLM",
    "TFAlbertForMultipleChoice",
    "TFAlbertForPreTraining",
    "TFAlbertForQuestionAnswering",
    "TFAlbertForSequenceClassification",
    "TFAlbertForTokenClassification",
    "TFAlbertModel",
    "__version__",
    "check_parity",
    "convert",
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


def test_type_checkers_see_the_same_names_from_the_same_modules() -> None:
    """``if TYPE_CHECKING`` repeats the table for tools that read the source and do not run it."""
    tree = ast.parse(Path(albert_export.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (alias.asname, node.module) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == set(albert_export._EXPORTS.items())


def test_no_module_takes_the_place_of_a_public_name() -> None:
    """Importing ``albert_export.name`` sets the attribute ``name`` of the package, whatever it was before."""
    modules = {module.name for module in pkgutil.iter_modules(albert_export.__path__)}
    assert modules.isdisjoint(PUBLIC_NAMES)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'AlbertForEverything'"):
        _ = albert_export.AlbertForEverything
