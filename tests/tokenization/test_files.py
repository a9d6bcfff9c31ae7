"""Saving, loading, and what bad files get."""

from __future__ import annotations

import copy
import json
import pickle  # noqa: TID251 - tokenizers are sent to worker processes
import shutil
from pathlib import Path
from typing import Any

import pytest

from albert_export.config import AlbertConfig
from albert_export.errors import AlbertExportError, CheckpointError, TokenizerError
from albert_export.tokenization import (
    AddedToken,
    AlbertTokenizer,
    AlbertTokenizerFast,
    AlbertWordPieceTokenizer,
    load_tokenizer,
)
from tests.golden.nasty_text import COLLECTION
from tests.tokenization.conftest import SPIECE, VOCAB

MAKERS: dict[str, Any] = {
    "slow": lambda **kwargs: AlbertTokenizer(SPIECE, **kwargs),
    "fast": lambda **kwargs: AlbertTokenizerFast(SPIECE, **kwargs),
    "words": lambda **kwargs: AlbertWordPieceTokenizer(VOCAB, **kwargs),
}


def answers(tokenizer: Any) -> list[Any]:
    return [[tokenizer.encode(text), tokenizer.decode(tokenizer.encode(text))] for text in COLLECTION]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    "init",
    [
        {},
        {"do_lower_case": False, "model_max_length": 77, "padding_side": "left", "truncation_side": "left"},
        {"additional_special_tokens": ["<e1>", AddedToken("<e2>", rstrip=True)], "unknown_setting": {"a": [1]}},
        {"mask_token": AddedToken("[MASK]", lstrip=True, rstrip=True), "clean_up_tokenization_spaces": False},
        {"model_input_names": ["input_ids", "attention_mask"]},
    ],
    ids=lambda init: "-".join(init) or "defaults",
)
def test_a_saved_tokenizer_comes_back(kind: str, init: dict[str, Any], tmp_path: Path) -> None:
    made = MAKERS[kind](**init)
    made.add_tokens(["brand new", AddedToken("dog", single_word=True)])
    made.save_pretrained(tmp_path)
    again = type(made).from_pretrained(tmp_path)
    assert answers(again) == answers(made)
    assert again.added_tokens_decoder == made.added_tokens_decoder
    assert again.special_tokens_map == made.special_tokens_map
    for name in ("model_max_length", "padding_side", "truncation_side", "model_input_names", "do_lower_case"):
        assert getattr(again, name) == getattr(made, name)
    assert again.init_kwargs.get("unknown_setting") == init.get("unknown_setting")


@pytest.mark.parametrize("kind", MAKERS)
def test_the_same_tokenizer_saves_the_same_bytes(kind: str, tmp_path: Path) -> None:
    saved = []
    for name in ("a", "b"):
        made = MAKERS[kind]()
        made(["some text", "to leave padding and truncation behind"], padding=True, truncation=True, max_length=8)
        paths = made.save_pretrained(tmp_path / name)
        saved.append({Path(path).name: Path(path).read_bytes() for path in paths})
    assert saved[0] == saved[1]
    assert {path.name for path in (tmp_path / "a").iterdir()} == set(saved[0])
    assert all(b"\r" not in data for name, data in saved[0].items() if name.endswith(".json"))


def test_the_files_of_each_kind(tmp_path: Path) -> None:
    settings = {"tokenizer_config.json", "special_tokens_map.json"}
    files = {
        "slow": settings | {"spiece.model"},
        "fast": settings | {"spiece.model", "tokenizer.json"},
        "words": settings | {"vocab.txt", "tokenizer.json"},
    }
    for kind, names in files.items():
        MAKERS[kind]().save_pretrained(tmp_path / kind)
        assert {path.name for path in (tmp_path / kind).iterdir()} == names
    written = json.loads((tmp_path / "fast" / "tokenizer.json").read_text(encoding="utf-8"))
    # Versions of the library before 0.19 need the first key, later ones the second.
    assert written["pre_tokenizer"]["add_prefix_space"] is True
    assert written["pre_tokenizer"]["prepend_scheme"] == "always"
    assert written["decoder"]["add_prefix_space"] is True
    config = json.loads((tmp_path / "words" / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == "BertTokenizer"
    with pytest.raises(TokenizerError, match="only a fast tokenizer"):
        MAKERS["slow"]().save_pretrained(tmp_path / "slow", legacy_format=False)


def test_a_tokenizer_saves_over_itself(tmp_path: Path) -> None:
    MAKERS["fast"]().save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = AlbertTokenizerFast.from_pretrained(tmp_path)
    again.save_pretrained(tmp_path)
    assert (tmp_path / "spiece.model").read_bytes() == before["spiece.model"]
    assert answers(AlbertTokenizerFast.from_pretrained(tmp_path)) == answers(MAKERS["fast"]())


def test_saving_replaces_files_and_writes_into_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there may be a hard link of another directory's file, and stays whole when writing fails."""
    MAKERS["fast"]().save_pretrained(tmp_path / "a")
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    (tmp_path / "b").mkdir()
    for name in before:
        (tmp_path / "b" / name).hardlink_to(tmp_path / "a" / name)
    changed = MAKERS["fast"](do_lower_case=False, additional_special_tokens=["<e1>"])
    changed.save_pretrained(tmp_path / "b")
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before
    after = {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert after["tokenizer.json"] != before["tokenizer.json"]

    def full(path: Path, data: bytes) -> None:
        path.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TokenizerError, match="No space left"):
        MAKERS["fast"]().save_pretrained(tmp_path / "b")
    assert {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()} == after


def test_a_fast_tokenizer_without_its_vocabulary_file(tmp_path: Path) -> None:
    MAKERS["fast"]().save_pretrained(tmp_path / "a", legacy_format=False)
    made = AlbertTokenizerFast.from_pretrained(tmp_path / "a")
    assert not made.can_save_slow_tokenizer
    made.save_pretrained(tmp_path / "b")
    assert not (tmp_path / "b" / "spiece.model").exists()
    assert answers(AlbertTokenizerFast.from_pretrained(tmp_path / "b")) == answers(MAKERS["fast"]())
    with pytest.raises(TokenizerError):
        made.save_vocabulary(tmp_path)
    with pytest.raises(TokenizerError):
        made.save_pretrained(tmp_path / "c", legacy_format=True)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "pickle"])
def test_copies_answer_the_same_and_stand_alone(kind: str, duplicate: Any) -> None:
    made = MAKERS[kind](model_max_length=64)
    made.add_tokens(["New Token"])
    again = duplicate(made)
    assert answers(again) == answers(made)
    again.add_tokens(["another"])
    assert len(again) == len(made) + 1


def test_save_vocabulary(tmp_path: Path) -> None:
    for kind, name in (("slow", "spiece.model"), ("fast", "spiece.model"), ("words", "vocab.txt")):
        made = MAKERS[kind]()
        directory = tmp_path / kind
        with pytest.raises(TokenizerError, match="existing directory"):
            made.save_vocabulary(directory)
        directory.mkdir()
        assert made.save_vocabulary(directory) == (str(directory / name),)
        assert made.save_vocabulary(directory, filename_prefix="x") == (str(directory / f"x-{name}"),)
        original = VOCAB if kind == "words" else SPIECE
        assert (directory / name).read_bytes() == (directory / f"x-{name}").read_bytes() == original.read_bytes()


def test_load_tokenizer_chooses_by_the_files(tmp_path: Path) -> None:
    for name, source, kind in (
        ("spiece.model", SPIECE, AlbertTokenizerFast),
        ("vocab.txt", VOCAB, AlbertWordPieceTokenizer),
    ):
        directory = tmp_path / name
        directory.mkdir()
        shutil.copy(source, directory / name)
        assert type(load_tokenizer(directory)) is kind
        load_tokenizer(directory).save_pretrained(tmp_path / f"saved {name}", legacy_format=False)
        assert type(load_tokenizer(tmp_path / f"saved {name}")) is kind
    (tmp_path / "empty").mkdir()
    with pytest.raises(TokenizerError, match=r"tokenizer\.json, spiece\.model or vocab\.txt"):
        load_tokenizer(tmp_path / "empty")


def test_load_tokenizer_knows_the_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    MAKERS["fast"](model_max_length=600).save_pretrained(tmp_path)
    assert load_tokenizer(tmp_path).model_max_length == 600
    config = AlbertConfig(vocab_size=2000, max_position_embeddings=48)
    tokenizer = load_tokenizer(tmp_path, config=config)
    assert tokenizer.model_max_length == 48
    assert len(tokenizer.encode("word " * 100, truncation=True)) == 48
    assert not caplog.records
    load_tokenizer(tmp_path, config=AlbertConfig(vocab_size=1000))
    assert "embeddings for 1000 only" in caplog.text


def test_a_released_name_implies_its_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "albert-base-v2"
    directory.mkdir()
    shutil.copy(SPIECE, directory / "spiece.model")
    monkeypatch.chdir(tmp_path)
    assert AlbertTokenizer.from_pretrained("albert-base-v2").model_max_length == 512
    assert AlbertTokenizer.from_pretrained("albert-base-v2", model_max_length=100).model_max_length == 100
    assert AlbertTokenizer.from_pretrained(directory).model_max_length > 512


def test_a_lone_vocabulary_file_is_enough(tmp_path: Path) -> None:
    MAKERS["fast"]().save_pretrained(tmp_path)
    assert answers(AlbertTokenizer.from_pretrained(SPIECE)) == answers(MAKERS["slow"]())
    assert answers(AlbertTokenizerFast.from_pretrained(SPIECE)) == answers(MAKERS["fast"]())
    assert answers(AlbertTokenizerFast.from_pretrained(tmp_path / "tokenizer.json")) == answers(MAKERS["fast"]())
    with pytest.raises(TokenizerError, match=r"reads a spiece\.model"):
        AlbertTokenizer.from_pretrained(tmp_path / "tokenizer.json")


def test_paths_in_the_settings_are_not_followed(tmp_path: Path) -> None:
    """tokenizer_config.json of other tools says where its files once lay."""
    shutil.copy(SPIECE, tmp_path / "spiece.model")
    settings = {
        "tokenizer_object": 1,
        "backend": 2,
        "pieces": 3,
        "vocab_file": "/etc/passwd",
        "tokenizer_file": "/etc/hosts",
        "name_or_path": "/x",
        "auto_map": {"a": "b"},
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    made = AlbertTokenizerFast.from_pretrained(tmp_path)
    assert answers(made) == answers(MAKERS["fast"]())
    made.save_pretrained(tmp_path / "again")
    saved = (tmp_path / "again" / "tokenizer_config.json").read_text(encoding="utf-8")
    assert not {"vocab_file", "tokenizer_file", "name_or_path", "auto_map"} & json.loads(saved).keys()
    assert str(tmp_path) not in saved


def test_another_class_in_the_settings_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    MAKERS["fast"]().save_pretrained(tmp_path)
    AlbertTokenizerFast.from_pretrained(tmp_path)
    AlbertTokenizer.from_pretrained(tmp_path)
    assert not caplog.records
    path = tmp_path / "tokenizer_config.json"
    path.write_text(path.read_text(encoding="utf-8").replace("AlbertTokenizer", "XLNetTokenizerFast"), encoding="utf-8")
    AlbertTokenizerFast.from_pretrained(tmp_path)
    assert "XLNetTokenizer" in caplog.text


@pytest.mark.parametrize("kind", [AlbertTokenizer, AlbertTokenizerFast])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 760289\n"),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(b"\x0a\x02\x0a\x00"),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["missing", "empty", "git-lfs pointer", "one byte short", "cut", "one piece", "a directory"],
)
def test_a_damaged_sentencepiece_model_is_one_line(kind: type, damage: Any, tmp_path: Path) -> None:
    path = tmp_path / "spiece.model"
    shutil.copy(SPIECE, path)
    damage(path)
    for load in (lambda: kind(path), lambda: kind.from_pretrained(tmp_path)):  # type: ignore[attr-defined]
        with pytest.raises(TokenizerError) as caught:
            load()
        assert "\n" not in str(caught.value)
        assert "spiece.model" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"a": 1}', b"\xff\xfe", b'{"version":"1.0","model":{"type":"Unigram","vocab":[]}}'],
    ids=["empty", "cut", "a list", "something else", "no UTF-8", "incomplete"],
)
def test_a_damaged_tokenizer_json_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    loads: list[Any] = [
        lambda: AlbertTokenizerFast(tokenizer_file=path),
        lambda: AlbertWordPieceTokenizer(tokenizer_file=path),
        lambda: AlbertTokenizerFast.from_pretrained(tmp_path),
        lambda: load_tokenizer(tmp_path),
    ]
    for load in loads:
        with pytest.raises(TokenizerError, match=r"tokenizer\.json") as caught:
            load()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", "{"),
        ("tokenizer_config.json", "[]"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": {"content": "a"}}}'),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"5": {"lstrip": true}}}'),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"5": "text"}}'),
        ("tokenizer_config.json", '{"padding_side": "up"}'),
        ("tokenizer_config.json", '{"model_max_length": "long"}'),
        ("tokenizer_config.json", '{"mask_token": 7}'),
        ("tokenizer_config.json", '{"model_input_names": 7}'),
        ("tokenizer_config.json", '{"additional_special_tokens": "text"}'),
        ("special_tokens_map.json", "nothing"),
        ("special_tokens_map.json", '{"mask_token": {"content": 5}}'),
        ("added_tokens.json", '{"<new>": "x"}'),
    ],
)
@pytest.mark.parametrize("kind", [AlbertTokenizer, AlbertTokenizerFast])
def test_bad_settings_are_one_line(kind: Any, name: str, content: str, tmp_path: Path) -> None:
    shutil.copy(SPIECE, tmp_path / "spiece.model")
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(TokenizerError) as caught:
        kind.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_bad_vocabulary_of_words_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    for content in (None, b"", b"\xff\xfe\x00"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(TokenizerError, match=r"vocab\.txt"):
            AlbertWordPieceTokenizer(path)


def test_vocabularies_with_windows_line_ends_and_repeated_lines(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(VOCAB.read_bytes().replace(b"\n", b"\r\n"))
    assert answers(AlbertWordPieceTokenizer(path)) == answers(MAKERS["words"]())
    path.write_bytes(VOCAB.read_bytes() + b"the\n")
    assert AlbertWordPieceTokenizer(path).convert_tokens_to_ids("the") == len(VOCAB.read_text("utf-8").splitlines())


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="vocab_file or a tokenizer_file"):
        AlbertTokenizerFast()
    with pytest.raises(TokenizerError, match="vocab_file or a tokenizer_file"):
        AlbertWordPieceTokenizer()
    with pytest.raises(TokenizerError, match=r"must hold spiece\.model or tokenizer\.json"):
        AlbertTokenizerFast.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError):
        AlbertTokenizerFast.from_pretrained(tmp_path / "nowhere")


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for kind in MAKERS.values():
        with pytest.raises(AlbertExportError) as caught:
            kind().save_pretrained(tmp_path / "file")
        assert "\n" not in str(caught.value)


def test_older_forms_of_tokenizer_json(tmp_path: Path) -> None:
    """The released ALBERT checkpoints cut at white space first; still older files have no prepend_scheme."""
    MAKERS["fast"]().save_pretrained(tmp_path, legacy_format=False)
    path = tmp_path / "tokenizer.json"
    tree = json.loads(path.read_text(encoding="utf-8"))
    metaspace = {"type": "Metaspace", "replacement": "▁", "str_rep": "▁", "add_prefix_space": True}
    tree["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]}
    tree["decoder"] = metaspace
    path.write_text(json.dumps(tree), encoding="utf-8")
    made = AlbertTokenizerFast.from_pretrained(tmp_path)
    plain = MAKERS["fast"]()
    text = "Hello, my dog is cute"
    assert made.encode(text + "  ") == plain.encode(text)
    assert made.decode(made.encode(text), skip_special_tokens=True) == text.lower()
    made.save_pretrained(tmp_path / "again")
    assert answers(AlbertTokenizerFast.from_pretrained(tmp_path / "again")) == answers(made)


def test_truncation_and_padding_inside_tokenizer_json_are_defaults(tmp_path: Path) -> None:
    made = MAKERS["fast"]()
    made.backend_tokenizer.enable_truncation(9, stride=2, direction="left")
    made.backend_tokenizer.enable_padding(pad_id=0, pad_token="<pad>", direction="left", length=12)
    made.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    again = AlbertTokenizerFast.from_pretrained(tmp_path)
    assert (again.padding_side, again.truncation_side) == ("left", "left")
    assert len(again.encode("word" + " word" * 49)) == 52


def test_a_built_in_model_has_a_tokenizer() -> None:
    made = AlbertTokenizerFast.from_pretrained("albert-seeded")
    assert answers(made) == answers(MAKERS["fast"]())
