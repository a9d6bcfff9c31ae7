"""Calibration texts: the file's, the built-in ones, what a bad file gets, and the batches they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.builtin import builtin_directory
from albert_export.calibration import calibration_inputs, calibration_texts, coverage
from albert_export.errors import InputError
from albert_export.exporting import export
from albert_export.parity.texts import PAIRS
from albert_export.tasks import get_task
from albert_export.tokenization import load_tokenizer


def test_a_file_holds_a_sentence_a_line(tmp_path: Path) -> None:
    path = tmp_path / "sentences.txt"
    path.write_text("\ufeffOne sentence.\r\n\n   \nНе одно.\n  Three. \n", encoding="utf-8")
    assert calibration_texts(path) == ["One sentence.", "Не одно.", "Three."]


def test_the_builtin_texts_are_others_than_those_parity_is_judged_on() -> None:
    texts = calibration_texts("builtin")
    assert len(set(texts)) == len(texts) >= 32
    assert not set(texts) & {text for pair in PAIRS for text in pair}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "at least one sentence"),
        (b" \n\n\t\n", "at least one sentence"),
        (b"\x80\x81\x82", "byte 0 is not UTF-8"),
        (b"PK\x03\x04\x00\x00", "zero bytes"),
    ],
)
def test_an_empty_or_binary_file_is_told_in_one_line(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "sentences.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rule) as caught:
        calibration_texts(path)
    assert "\n" not in str(caught.value)
    assert "fix: give a text file with one sentence a line, or builtin" in str(caught.value)


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.txt", tmp_path):
        with pytest.raises(InputError, match="must be a file that can be read"):
            calibration_texts(path)


@pytest.mark.parametrize("calibrate", ["absent.txt", "builtin"])
def test_a_target_or_precision_without_calibration_refuses_it_before_any_work(tmp_path: Path, calibrate: str) -> None:
    with pytest.raises(InputError, match="SavedModel artifacts have nothing to calibrate"):
        export("savedmodel", model="albert-seeded", task="qa", out=tmp_path / "out", calibrate=calibrate)
    with pytest.raises(InputError, match="calibration texts serve TFLite artifacts in int8"):
        export("tflite", model="albert-seeded", task="qa", out=tmp_path / "out", calibrate=calibrate)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_without_a_tokenizer_cannot_be_calibrated(tmp_path: Path) -> None:
    from tests.parity.conftest import write_checkpoint

    checkpoint = write_checkpoint(tmp_path / "checkpoint", "question-answering", tokenizer=False)
    with pytest.raises(InputError, match="calibration needs the checkpoint's tokenizer"):
        export(
            "tflite",
            model=checkpoint,
            task="qa",
            out=tmp_path / "out",
            precision="int8",
            calibrate="builtin",
            parity=False,
        )
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["checkpoint"]


@pytest.mark.parametrize("task", ["question-answering", "multiple-choice"])
@pytest.mark.parametrize("fixed", [{}, {"sequence": 12}, {"batch": 2, "sequence": 12}])
def test_texts_become_batches_with_both_segments(task: str, fixed: dict[str, int]) -> None:
    row = get_task(task)
    sizes = {axis: fixed.get(axis) for axis in row.dynamic_axes}
    tokenizer = load_tokenizer(builtin_directory("albert-seeded"))
    batches = calibration_inputs(calibration_texts("builtin"), tokenizer=tokenizer, task=row, sizes=sizes)
    assert any(batch["token_type_ids"].any() for batch in batches)
    assert any(not batch["token_type_ids"].any() for batch in batches)
    for batch in batches:
        shape = batch["input_ids"].shape
        assert {array.shape for array in batch.values()} == {shape}
        assert {array.dtype for array in batch.values()} == {np.dtype(np.int64)}
        assert len(shape) == len(row.inputs[0].axes)
        assert shape[0] == fixed.get("batch", 1)
        assert shape[-1] == fixed["sequence"] if "sequence" in fixed else shape[-1] <= 128
        assert (batch["attention_mask"].sum(-1) > 2).all()


def test_no_padding_is_measured_where_the_sequence_is_fixed(tokenizer: Any) -> None:
    """The text stands there once more, masked: the ids of padding may give numbers that no token of a text does."""
    (free, *_), (filled, *_) = (
        calibration_inputs(
            calibration_texts("builtin"), tokenizer=tokenizer, task=get_task("qa"), sizes={"batch": 2, "sequence": size}
        )
        for size in (None, 100)
    )
    real = free["input_ids"].shape[1]
    assert 2 * real < 100
    assert tokenizer.pad_token_id not in filled["input_ids"]
    for name, array in filled.items():
        assert array.shape == (2, 100)
        np.testing.assert_array_equal(array[:, :real], free[name])
    np.testing.assert_array_equal(filled["input_ids"][:, real : 2 * real], free["input_ids"])
    assert not filled["attention_mask"][:, real:].any()


def test_a_single_text_makes_a_pair_with_itself(tokenizer: Any) -> None:
    sizes = {"batch": None, "sequence": None}
    alone, pair = calibration_inputs(["One sentence."], tokenizer=tokenizer, task=get_task("qa"), sizes=sizes)
    assert not alone["token_type_ids"].any()
    assert pair["token_type_ids"].any()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(builtin_directory("albert-seeded"))


def warnings(texts: list[str], tokenizer: Any) -> list[str]:
    return list(coverage(texts, tokenizer=tokenizer).warnings())


def test_the_builtin_texts_warn_of_nothing(tokenizer: Any) -> None:
    texts = calibration_texts("builtin")
    found = coverage(texts, tokenizer=tokenizer)
    assert (found.texts, found.unknown) == (len(texts), 0.0)
    assert found.tokens > 10 * len(texts)
    assert found.longest < 129
    assert list(found.warnings()) == []


@pytest.mark.parametrize(
    ("texts", "figures"),
    [
        (["The ferry left the harbour at seven in the morning, an hour late."], "(1 distinct texts, "),
        (["The ferry left the harbour at seven in the morning, an hour late."] * 100, "(1 distinct texts, "),
        ([f"Yes {letter}." for letter in "abcdefghijklmnopqrstuvwxyz"], "(26 distinct texts, "),
    ],
    ids=["one", "one-repeated", "short"],
)
def test_few_or_short_texts_are_warned_of_with_what_they_cover(tokenizer: Any, texts: list[str], figures: str) -> None:
    (line,) = [line for line in warnings(texts, tokenizer) if "few or short" in line]
    assert figures in line
    assert "tokens, the longest " in line
    assert "give 16 or more, 200 tokens together and one of at least 12" in line


RUSSIAN = "Молекулы воздуха рассеивают короткие волны сильнее длинных, поэтому небо кажется голубым."
CHINESE = "图书馆每天早上九点开门，晚上八点关门，星期一休息。"

#: Languages in the same script, which have few letters that the vocabulary lacks.
LATIN = {
    "German": (
        "Die alte Brücke wurde flussaufwärts neu gebaut und überspannt jetzt das ganze Tal.",
        "Er hatte noch nie so viel Schnee gesehen; das ganze Tal war still geworden.",
        "Bitte senden Sie das unterschriebene Formular bis Freitag zurück.",
        "Gibt es nach Mitternacht noch einen Bus zum Flughafen?",
    ),
    "French": (
        "Le vieux pont a été reconstruit en amont et enjambe maintenant toute la vallée.",
        "Il n'avait jamais vu autant de neige ; toute la vallée était devenue silencieuse.",
        "Veuillez renvoyer le formulaire signé avant vendredi.",
        "Y a-t-il encore un bus pour l'aéroport après minuit ?",
    ),
    "Italian": (
        "Il vecchio ponte è stato ricostruito a monte e ora attraversa tutta la valle.",
        "Non aveva mai visto tanta neve; tutta la valle era diventata silenziosa.",
        "Il comitato non ha respinto la proposta, ma ha chiesto una seconda relazione.",
        "Il motore non partiva, così l'autista chiamò un meccanico.",
    ),
}

#: English of other topics than the built-in texts have, with many words that a vocabulary cuts.
ENGLISH = {
    "medicine": (
        "The patient presented with acute abdominal pain and a two-day history of vomiting.",
        "Administration of intravenous antibiotics was discontinued after seven days.",
        "Hypertension and hyperlipidaemia are established risk factors for ischaemic stroke.",
        "Serum creatinine concentrations returned to baseline within forty-eight hours.",
    ),
    "law": (
        "Notwithstanding the foregoing, either party may terminate this agreement upon thirty days' notice.",
        "The appellate court reversed the judgment and remanded the case for further proceedings.",
        "The statute of limitations bars claims brought more than six years after the breach.",
        "Confidential information shall not be disclosed without prior written consent.",
    ),
    "computing": (
        "The compiler emits a warning whenever an uninitialised variable is dereferenced.",
        "Restart the daemon after editing the configuration file, or the changes are ignored.",
        "A deadlock occurs when two threads wait for mutexes that the other one holds.",
        "Encrypt the payload with AES-256 before uploading it to the object store.",
    ),
}


@pytest.mark.parametrize("text", [RUSSIAN, CHINESE, "zxq wvkj qqpt xzzy bvnm kjhg"], ids=["ru", "zh", "keys"])
def test_texts_that_the_vocabulary_does_not_know_are_warned_of_with_the_share(tokenizer: Any, text: str) -> None:
    texts = [f"{text} {number}" for number in range(100, 140)]
    (line,) = [line for line in warnings(texts, tokenizer) if "mostly foreign" in line]
    assert "mostly foreign to the vocabulary (40 distinct texts, " in line
    assert "% unknown or single letters" in line


@pytest.mark.parametrize("model", ["albert-seeded", "albert-mini"])
def test_another_language_in_the_same_script_is_warned_of_and_english_of_other_topics_is_not(model: str) -> None:
    pieces = load_tokenizer(builtin_directory(model))
    for language, texts in LATIN.items():
        found = coverage(texts, tokenizer=pieces)
        lines = [line for line in found.warnings() if "mostly foreign" in line]
        assert len(lines) == 1, language
        assert f"; {found.whole:.0%} of the short words whole, of English {found.usual:.0%})" in lines[0]
    for topic, texts in ENGLISH.items():
        assert not [line for line in warnings(list(texts), pieces) if "mostly foreign" in line], topic
    assert coverage([RUSSIAN, CHINESE], tokenizer=pieces).whole is None


def test_a_vocabulary_that_spells_does_not_find_its_own_letters_foreign() -> None:
    class Letters:
        unk_token_id = 0
        model_max_length = 512

        def num_special_tokens_to_add(self) -> int:
            return 2

        def get_vocab(self) -> dict[str, int]:
            return {"[UNK]": 0, **{letter: index for index, letter in enumerate(sorted(set(CHINESE)), start=1)}}

        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            return [list(self.get_vocab())[index] for index in ids]

        def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
            return {"input_ids": [self.get_vocab().get(letter, 0) for letter in text]}

    assert coverage([CHINESE], tokenizer=Letters()).foreign == 0.0
    assert coverage([RUSSIAN], tokenizer=Letters()).foreign == 1.0


def test_a_fixed_sequence_takes_no_more_of_a_text_than_fits(tokenizer: Any) -> None:
    texts = calibration_texts("builtin")
    whole = coverage(texts, tokenizer=tokenizer)
    short = coverage(texts, tokenizer=tokenizer, sequence=8)
    assert (short.longest, short.room) == (6, 6)
    assert short.tokens <= 6 * len(texts) < whole.tokens
    assert list(short.warnings()) == [], "no text can be longer than what fits"
    (line,) = coverage(texts, tokenizer=tokenizer, sequence=4).warnings()
    assert "(40 distinct texts, 78 tokens, the longest 2; " in line
    assert line.endswith("200 tokens together and one of at least 2")
    with pytest.raises(InputError, match="a sequence with room for text; received sequence=2; fix: choose a longer"):
        coverage(texts, tokenizer=tokenizer, sequence=2)
    batches = calibration_inputs(texts, tokenizer=tokenizer, task=get_task("qa"), sizes={"batch": None, "sequence": 8})
    alone = [int(batch["attention_mask"].sum()) for batch in batches if not batch["token_type_ids"].any()]
    assert max(alone) == short.longest + 2


def test_texts_of_which_no_token_is_left_are_an_error(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="must hold at least one word; received no token in any; fix: give a text"):
        coverage(["\u200b", "\x01"], tokenizer=tokenizer)


def test_an_export_says_what_it_calibrates_on(tmp_path: Path) -> None:
    path = tmp_path / "sentences.txt"
    path.write_text("One sentence.\nAnd one more.\n", encoding="utf-8")
    lines: list[str] = []
    export(
        "onnx",
        model="albert-seeded",
        task="qa",
        out=tmp_path / "out",
        precision="int8",
        calibrate=path,
        parity=False,
        progress=lines.append,
    )
    assert any(line.startswith("calibration: 2 distinct texts, ") for line in lines)
    assert any(line.startswith("warning: the calibration texts are few or short (2 distinct texts") for line in lines)
