"""Making, reading and writing the ``tokenizers.Tokenizer`` that a fast tokenizer runs on."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.errors import TokenizerError
from albert_export.tokenization.sentencepiece_model import SPACE, Algorithm, SentencePieceModel

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: How much less likely a piece becomes that ends in a digit and a comma, so that ``9,9`` is cut at the comma.
COMMA_PENALTY = 100.0


def tokenizers_module() -> Any:
    """The ``tokenizers`` package, imported when a fast tokenizer is made and not before."""
    return require("tokenizers", needed_for="a fast tokenizer", extra="onnxruntime")


def from_sentencepiece(model: SentencePieceModel, *, do_lower_case: bool, keep_accents: bool) -> Tokenizer:
    """A backend that cuts text as transformers 4.37.2's conversion of the same model does.

    The steps that SentencePiece takes in one become: quotation marks, accents, case, the model's own normalisation
    rules, runs of spaces; then ``▁`` for spaces and before the text; then the vocabulary.

    Args:
        model: Unigram, or byte-pair encoding.
        do_lower_case: Lowercase the text.
        keep_accents: Keep accents.

    Raises:
        TokenizerError: The model cuts words or characters, or its normalisation rules are damaged.
    """
    steps: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": quotes}, "content": '"'} for quotes in ("``", "''")
    ]
    if not keep_accents:
        steps += [{"type": "NFKD"}, {"type": "StripAccents"}]
    if do_lower_case:
        steps.append({"type": "Lowercase"})
    if model.charsmap:
        steps.append({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(model.charsmap).decode("ascii")})
    steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
    # Both keys: each version of the library since 0.15 reads one of them and passes over the other.
    metaspace = {"type": "Metaspace", "replacement": SPACE, "add_prefix_space": True, "prepend_scheme": "always"}
    backend = _assemble({"type": "Sequence", "normalizers": steps}, metaspace, metaspace)

    models = tokenizers_module().models
    vocabulary = [(piece, score - COMMA_PENALTY * _ends_in_number_comma(piece)) for piece, score in model.pieces]
    # Given as floats, not as JSON: the library's JSON reader loses the last bit of a score, and ties are decided by it.
    if model.algorithm == Algorithm.UNIGRAM:
        backend.model = models.Unigram(vocabulary, model.unk_id)
    elif model.algorithm == Algorithm.BPE:
        ids = {piece: i for i, (piece, _) in enumerate(model.pieces)}
        backend.model = models.BPE(ids, _merges(ids), unk_token=model.pieces[model.unk_id][0], fuse_unk=True)
    else:
        raise TokenizerError(
            "a fast tokenizer needs a unigram or byte-pair vocabulary",
            received=model.algorithm.name.lower(),
            fix="use AlbertTokenizer",
        )
    return backend


def from_wordpiece(
    vocabulary: Mapping[str, int],
    *,
    unk_token: str,
    do_lower_case: bool,
    tokenize_chinese_chars: bool,
    strip_accents: bool | None,
) -> Tokenizer:
    """A backend that cuts text as BERT does: into words and punctuation, then into the longest pieces.

    Args:
        vocabulary: Token to id.
        unk_token: Stands for words that cannot be cut into pieces.
        do_lower_case: Lowercase the text.
        tokenize_chinese_chars: Make each Chinese character a word.
        strip_accents: Drop accents; None: as ``do_lower_case`` says.
    """
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": tokenize_chinese_chars,
        "strip_accents": strip_accents,
        "lowercase": do_lower_case,
    }
    decoder = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    backend = _assemble(normalizer, {"type": "BertPreTokenizer"}, decoder)
    backend.model = tokenizers_module().models.WordPiece(dict(vocabulary), unk_token=unk_token)
    return backend


def frame_sequences(backend: Tokenizer, *, cls: tuple[str, int], sep: tuple[str, int]) -> None:
    """Make the backend build ``[CLS] A [SEP]`` and ``[CLS] A [SEP] B [SEP]``.

    Args:
        backend: Changed in place.
        cls: Text and id of the token that begins a sequence.
        sep: Text and id of the token that ends each text.
    """
    backend.post_processor = tokenizers_module().processors.TemplateProcessing(
        single=f"{cls[0]}:0 $A:0 {sep[0]}:0",
        pair=f"{cls[0]}:0 $A:0 {sep[0]}:0 $B:1 {sep[0]}:1",
        special_tokens=[cls, sep],
    )


def read(path: str | Path) -> Tokenizer:
    """The backend in a ``tokenizer.json``.

    Raises:
        TokenizerError: It cannot be read, or is not what the library wrote.
    """
    tokenizers = tokenizers_module()
    try:
        text = Path(path).read_text(encoding="utf-8")
        backend: Tokenizer = tokenizers.Tokenizer.from_str(text)
    except OSError as error:
        reason = error.strerror or str(error)
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception
        reason = str(error)
    else:
        if backend.get_vocab_size():
            return backend
        reason = "it has no vocabulary"
    raise TokenizerError(
        "tokenizer.json must be a readable file of the tokenizers library",
        received=f"{path}: {reason}",
        fix="copy the file again from where the checkpoint came from",
    )


def to_json(backend: Tokenizer) -> str:
    """The backend as a ``tokenizer.json`` that the library reads since its version 0.15.

    Truncation and padding are left out: each call sets its own.
    """
    tree = json.loads(backend.to_str())
    tree["truncation"] = tree["padding"] = None
    _add_older_keys(tree)
    # Compact: an indented vocabulary of 30,000 pieces is a third larger and takes a second to write.
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")) + "\n"


def from_json(text: str) -> Tokenizer:
    """The exact opposite of :func:`to_json`, down to the last bit of every score."""
    backend: Tokenizer = tokenizers_module().Tokenizer.from_str(text)
    model = json.loads(text)["model"]
    if model["type"] == "Unigram":
        vocabulary = [(piece, score) for piece, score in model["vocab"]]
        backend.model = tokenizers_module().models.Unigram(vocabulary, model["unk_id"], model["byte_fallback"])
    return backend


def _assemble(normalizer: dict[str, Any], pre_tokenizer: dict[str, Any], decoder: dict[str, Any]) -> Tokenizer:
    """A backend around a vocabulary of one piece, which the caller replaces."""
    tree: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0]], "byte_fallback": False},
    }
    tokenizers = tokenizers_module()
    try:
        backend: Tokenizer = tokenizers.Tokenizer.from_str(json.dumps(tree))
        return backend
    except Exception as error:
        raise TokenizerError("the vocabulary's normalisation rules must be whole", received=str(error)) from error


def _ends_in_number_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _merges(ids: Mapping[str, int]) -> list[tuple[str, str]]:
    """The merges of a byte-pair vocabulary: each piece's cuts into two pieces, earlier pieces first."""
    merges = []
    for piece in ids:
        cuts = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in ids and piece[i:] in ids]
        merges += sorted(cuts, key=lambda cut: (ids[cut[0]], ids[cut[1]]))
    return merges


def _add_older_keys(node: Any) -> None:
    """Write what versions before 0.19 need, in place: ``add_prefix_space`` of Metaspace, merges as strings."""
    if isinstance(node, list):
        for item in node:
            if isinstance(item, dict):
                _add_older_keys(item)
    elif isinstance(node, dict):
        if node.get("type") == "Metaspace":
            node["add_prefix_space"] = node.get("prepend_scheme", "always") != "never"
            if node.get("split") is True:
                del node["split"]  # the default, unknown to older versions
        if node.get("ignore_merges") is False:
            del node["ignore_merges"]  # as well
        if node.get("type") == "BPE" and all(len(m) == 2 and " " not in "".join(m) for m in node["merges"]):
            node["merges"] = [merge if isinstance(merge, str) else " ".join(merge) for merge in node["merges"]]
        for key in ("normalizer", "pre_tokenizer", "decoder", "model", "normalizers", "pretokenizers", "decoders"):
            _add_older_keys(node.get(key))
