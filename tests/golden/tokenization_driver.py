"""Runs the same steps on any tokenizer of the reference's kind, and writes down what it answers as JSON.

Both sides use it: the recording script and the fuzz with transformers 4.37.2, the tests with this package. It imports
neither. A case is ``{"class": name, "init": arguments, "steps": [[what, …], …]}``. An argument that names one of the
vocabulary files becomes its path; ``{"AddedToken": {…}}`` becomes the library's own kind of token. With
``"directory": {file: content}`` the tokenizer comes from ``from_pretrained`` on a directory of those files, where the
content ``None`` stands for the vocabulary file of that name.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: What an observation becomes that raised: the two sides word and type their errors differently.
FAILED = {"raised": True}


class Library:
    """One side of a comparison.

    Args:
        classes: Class by name.
        added_token: The library's AddedToken.
        files: Vocabulary files by name.
    """

    def __init__(
        self, classes: Mapping[str, Any], added_token: Callable[..., Any], files: Mapping[str, str | Path]
    ) -> None:
        self.classes = classes
        self.added_token = added_token
        self.files = files

    def run(self, case: Mapping[str, Any]) -> list[Any]:
        """Make the case's tokenizer, take its steps, and return one observation for each step."""
        logging.disable(logging.ERROR)
        with tempfile.TemporaryDirectory() as directory:
            try:
                tokenizer = self.make(case, Path(directory))
            except Exception:  # noqa: BLE001 - any error is the observation
                return [FAILED] * len(case["steps"])
            return [self.observe(tokenizer, step) for step in case["steps"]]

    def make(self, case: Mapping[str, Any], directory: Path) -> Any:
        """The case's tokenizer; its files, where it has any, go into ``directory``."""
        kind = self.classes[case["class"]]
        init = {key: self.revive(value) for key, value in case.get("init", {}).items()}
        if "directory" not in case:
            return kind(**init)
        for name, content in case["directory"].items():
            if content is None:
                shutil.copyfile(self.files[name], directory / name)
            else:
                (directory / name).write_text(json.dumps(content), encoding="utf-8")
        return kind.from_pretrained(str(directory), **init)

    def observe(self, tokenizer: Any, step: list[Any]) -> Any:
        """Take one step and return what can be seen of its result."""
        what, *arguments = [self.revive(item) for item in step]
        try:
            return _plain(_STEPS[what](tokenizer, *arguments))
        except BaseException as error:  # the tokenizers library's panics derive from BaseException
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return FAILED

    def revive(self, value: Any) -> Any:
        """An argument as this library takes it."""
        if isinstance(value, dict):
            if set(value) == {"AddedToken"}:
                return self.added_token(**value["AddedToken"])
            return {key: self.revive(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.revive(item) for item in value]
        return str(self.files[value]) if isinstance(value, str) and value in self.files else value


def first_difference(ours: Any, theirs: Any, place: str = "answer") -> tuple[str, Any, Any]:
    """The innermost place where two answers differ, and what stands there on each side."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        return next(
            first_difference(ours[key], theirs[key], f"{place}[{key!r}]") for key in ours if ours[key] != theirs[key]
        )
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return next(first_difference(our, their, f"{place}[{i}]") for i, (our, their) in pairs if our != their)
    return place, ours, theirs


def _encode(tokenizer: Any, options: dict[str, Any]) -> dict[str, Any]:
    encoded = tokenizer(**options)
    seen = {key: encoded[key] for key in encoded}
    for i, encoding in enumerate(getattr(encoded, "encodings", None) or ()):
        seen[f"row {i}"] = [
            encoding.tokens,
            encoding.offsets,
            encoding.word_ids,
            encoding.sequence_ids,
            encoding.special_tokens_mask,
        ]
    return seen


def _text(tokenizer: Any, text: str) -> list[Any]:
    """The common questions about one text; answers that are the same as an earlier one are left out."""
    ids = tokenizer.encode(text)
    tokens = tokenizer.tokenize(text)
    decoded = tokenizer.decode(ids)
    skipped = tokenizer.decode(ids, skip_special_tokens=True)
    more = {
        "not cleaned up": tokenizer.decode(ids, clean_up_tokenization_spaces=False),
        "without frame": tokenizer.decode(ids[1:-1]),
        "from tokens": tokenizer.convert_tokens_to_string(tokens),
    }
    seen = [ids, tokens, decoded, skipped, {key: told for key, told in more.items() if told not in (decoded, skipped)}]
    if tokenizer.is_fast:
        encoding = tokenizer(text, return_offsets_mapping=True)
        seen += [encoding["offset_mapping"], encoding.word_ids()]
    return seen


def _map(tokenizer: Any, text: str, pair: str | None) -> list[Any]:
    """The ways between tokens, words and characters."""
    encoding = tokenizer(text, pair)
    tokens = range(len(encoding["input_ids"]))
    words = [word for word in encoding.word_ids() if word is not None]
    return [
        encoding.tokens(),
        encoding.sequence_ids(),
        encoding.n_sequences,
        [encoding.token_to_chars(i) for i in tokens],
        [encoding.token_to_word(i) for i in tokens],
        [encoding.token_to_sequence(i) for i in tokens],
        [
            [encoding.char_to_token(i, sequence_index=s) for i in range(len(t or ""))]
            for s, t in enumerate((text, pair))
        ],
        [[encoding.char_to_word(i, sequence_index=s) for i in range(len(t or ""))] for s, t in enumerate((text, pair))],
        [encoding.word_to_tokens(word) for word in range(max(words, default=-1) + 1)],
        [encoding.word_to_chars(word) for word in range(encoding.word_ids()[-2] or 0)] if pair is None else None,
    ]


def _vocabulary(tokenizer: Any) -> list[Any]:
    vocab = tokenizer.get_vocab()
    added = {str(index): _flags(token) for index, token in tokenizer.added_tokens_decoder.items()}
    beyond = {token: index for token, index in vocab.items() if index >= tokenizer.vocab_size}
    return [tokenizer.vocab_size, len(tokenizer), len(vocab), beyond, added, tokenizer.get_added_vocab()]


def _specials(tokenizer: Any) -> list[Any]:
    names = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
    return [
        [[getattr(tokenizer, f"{name}_token"), getattr(tokenizer, f"{name}_token_id")] for name in names],
        tokenizer.all_special_tokens,
        tokenizer.all_special_ids,
        tokenizer.additional_special_tokens,
        tokenizer.additional_special_tokens_ids,
        tokenizer.special_tokens_map,
        [_flags(token) for token in tokenizer.all_special_tokens_extended],
        [tokenizer.num_special_tokens_to_add(pair) for pair in (False, True)],
        [tokenizer.padding_side, tokenizer.truncation_side, tokenizer.model_max_length],
    ]


def _flags(token: Any) -> Any:
    if isinstance(token, str):
        return token
    normalized = token.is_normalized if hasattr(token, "is_normalized") else token.normalized
    return [token.content, token.single_word, token.lstrip, token.rstrip, normalized, token.special]


def _save(tokenizer: Any, legacy_format: bool | None = None, prefix: str | None = None) -> dict[str, Any]:
    """The files that ``save_pretrained`` writes: the settings as they are, vocabularies as hashes of their content."""
    saved: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as directory:
        tokenizer.save_pretrained(directory, legacy_format=legacy_format, filename_prefix=prefix)
        for path in sorted(Path(directory).iterdir()):
            data = path.read_bytes()
            if path.suffix != ".json":
                saved[path.name] = hashlib.sha256(data).hexdigest()
                continue
            content = json.loads(data)
            if path.name.endswith("tokenizer.json"):
                # The reference saves the truncation and padding of its latest call, too.
                content["truncation"] = content["padding"] = None
                text = json.dumps(content, sort_keys=True)
                saved[path.name] = hashlib.sha256(text.encode("utf-8")).hexdigest()
            else:
                saved[path.name] = {k: v for k, v in content.items() if _SLOW_DEFAULTS.get(k, ...) != v}
    return saved


#: Settings that the reference's fast tokenizers inherit from the slow ones they are made of, and do not use.
_SLOW_DEFAULTS = {"sp_model_kwargs": {}, "do_basic_tokenize": True, "never_split": None}


def _set(tokenizer: Any, name: str, value: Any) -> None:
    setattr(tokenizer, name, value)


_STEPS: dict[str, Callable[..., Any]] = {
    "encode": _encode,
    "text": _text,
    "map": _map,
    "vocabulary": _vocabulary,
    "specials": _specials,
    "save": _save,
    "set": _set,
    "get": getattr,
    "call": lambda tokenizer, name, *arguments: getattr(tokenizer, name)(*arguments),
    "call with": lambda tokenizer, name, options: getattr(tokenizer, name)(**options),
}


def _plain(value: Any) -> Any:
    """``value`` as it looks after a trip through JSON."""
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value
