"""Figures, files and the picture: right values, files that hold the model, and each check's failing twin."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch

from albert_export.builtin.trained import FILES
from benchmarks.mini_accuracy import trained_on
from tests.tools.mini.small import SHAPE, tokenizer, vocabulary_directory
from tools.mini import data
from tools.mini.curve import draw, joined
from tools.mini.data import tokenizer_in
from tools.mini.eager import eager_pipeline, head_weights
from tools.mini.evaluation import FIGURE, figures
from tools.mini.figures import GATES, baseline_score, failures, leaks, misses, parameter_count, pipeline_of
from tools.mini.finishing import held_out_items, held_out_sets, speed
from tools.mini.model import MiniModel, mini_config
from tools.mini.stages import Stage, stage_directories
from tools.mini.train import Training
from tools.mini.worlds import name_parts as parts
from tools.mini.worlds.names import is_held_out, pet_name, refusing, town_name
from tools.mini.writing import HEADS, read_items, write_items, write_weights


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MiniModel(mini_config(len(tokenizer().get_vocab()), **SHAPE))


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("files")
    for name in ("spiece.model", "tokenizer.json", "tokenizer_config.json"):
        (directory / name).write_bytes((vocabulary_directory() / name).read_bytes())
    write_weights(directory, model, {"fill-mask": {"held_out": {"top5": 61.5}}})
    return directory


@pytest.mark.parametrize("task", FIGURE)
def test_the_files_hold_the_model_in_half_precision(task, model, files):
    items = list(data.items_of(task, "held_out", 4, 9))
    if task == "fill-mask":
        items = list(held_out_items(task, "held_out", 4, tokenizer(), set()))
    with pipeline_of(files, task) as stored, eager_pipeline(model, tokenizer(), task) as kept:
        ids = np.asarray([[2, 40, 41, 42, 3]])
        inputs = {"input_ids": ids[:, None] if task == "multiple-choice" else ids}
        own, other = stored.runtime.run(**inputs), kept.runtime.run(**inputs)
        assert all(np.array_equal(own[name], other[name]) for name in own)
        found = figures(task, stored, items)
        assert FIGURE[task] in found and all(-100 <= value <= 100 for value in found.values())
    changed = MiniModel(mini_config(len(tokenizer().get_vocab()), **SHAPE))
    with eager_pipeline(changed, tokenizer(), task) as strange:
        assert any(not np.array_equal(strange.runtime.run(**inputs)[name], own[name]) for name in own)


def test_every_head_has_its_file(model, files):
    assert {path.stem for path in (files / "heads").glob("*.json")} == set(HEADS)
    count = parameter_count(files)
    decoded = sum(p.numel() for name, p in model.named_parameters() if not name.startswith("hints."))
    assert count["all"] == decoded
    assert not any("decoder" in name for name in head_weights(model, "pretraining"))


def test_items_are_stored_in_the_same_bytes_each_time(tmp_path):
    items = list(data.items_of("question-answering", "held_out", 3, 1))
    write_items(tmp_path / "a.jsonl.gz", items)
    write_items(tmp_path / "b.jsonl.gz", items)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert read_items(tmp_path / "a.jsonl.gz") == items
    write_items(tmp_path / "b.jsonl.gz", items[:2])
    assert (tmp_path / "a.jsonl.gz").read_bytes() != (tmp_path / "b.jsonl.gz").read_bytes()


def test_held_out_words_are_one_piece_and_all_items_differ():
    items = list(held_out_items("fill-mask", "held_out", 20, tokenizer(), {"ana"}))
    assert len({item["id"] for item in items}) == 20
    assert all(len(tokenizer().tokenize(item["targets"][0])) == 1 for item in items)


def test_a_leak_is_found(tmp_path):
    counts = {("text-classification", None): 50, ("words", None): 10}
    stages = [Stage("one", 1, counts, Training()), Stage("two", 2, {("text-classification", None): 30}, Training())]
    shards = [
        path
        for stage in stages
        for path in data.make(tmp_path, vocabulary_directory(), stage.counts, stage.seed, processes=1)
    ]
    stored = data.stored_fingerprints(shards)
    assert stored == trained_on(stages, ("text-classification", "words"), processes=1)
    held_out = list(data.items_of("text-classification", "held_out", 20, 3))
    assert leaks({("text-classification", "held_out"): held_out}, stored) == {"text-classification": 0}
    for seed, found in ((1_000_000, 1), (2_000_000, 1), (3_000_000, 0)):
        (planted, *_) = data.items_of("text-classification", "train", 30, seed)
        sets = {
            ("text-classification", "held_out"): [*held_out, planted],
            ("text-classification", "new_patterns"): held_out,
        }
        assert leaks(sets, stored) == {"text-classification": found}


def test_a_figure_below_its_gate_is_told():
    reached = {task: {"held_out": {FIGURE[task]: 100.0}, "new_patterns": {FIGURE[task]: 100.0}} for task, _ in GATES}
    assert misses(reached) == []
    reached["question-answering"]["new_patterns"]["exact_match"] = 59.9
    told = ["question-answering, new_patterns: 59.9 is below 60"]
    assert misses(reached) == told
    baseline = {"held_out": 49.9, "new_patterns": 70.0}
    assert failures({"tasks": reached, "baseline_exact_match": baseline}) == told
    found = failures({"tasks": reached, "baseline_exact_match": {**baseline, "held_out": 50.0}, "leaks": {"words": 2}})
    assert found == [*told, "the questions are too easy: the baseline reaches 50", "words: 2 held-out items leaked"]


def test_the_baseline_is_scored_by_exact_match():
    items = [{"question": "Who?", "context": "Ida sings.", "answers": ["Ida"]}] * 3
    assert baseline_score(items, lambda question, context: context.split()[0]) == 100
    assert baseline_score(items, lambda question, context: "sings") == 0


def test_a_pause_does_not_count_as_training():
    log = [{"losses": {}, "tokens": 100 * n, "seconds": n + (1000 if n > 3 else 0)} for n in range(9)]
    assert speed([*log, {"figures": {}}]) == pytest.approx(100)


def test_the_picture_shows_a_log(tmp_path):
    log = [
        {"step": 1, "tokens": 10**6, "losses": {"masks": 2.0, "hints": 1.0}},
        {"step": 2, "tokens": 2 * 10**6, "losses": {"masks": 1.0}},
        {"step": 2, "tokens": 2 * 10**6, "figures": {"pretraining held_out": 50.0, "pretraining new_patterns": 40.0}},
    ]
    draw(log, [], tmp_path / "one.png")
    draw(
        [*log[:-1], {**log[-1], "figures": {"pretraining held_out": 90.0, "pretraining new_patterns": 40.0}}],
        [],
        tmp_path / "two.png",
    )
    draw(log, [10**6], tmp_path / "border.png")
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "border.png").read_bytes()
    assert (tmp_path / "one.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "two.png").read_bytes()


def test_a_stage_told_otherwise_is_another_one_with_all_that_follow(tmp_path):
    first, second = Stage("first", 1, {("words", None): 10}, Training()), Stage("second", 2, {}, Training())
    own = stage_directories(tmp_path, [first, second], {})
    assert stage_directories(tmp_path, [first, second], {}) == own and len(set(own)) == 2
    other = stage_directories(tmp_path, [first.changed({}, {"peak": 0.1}), second], {})
    assert not set(other) & set(own)
    assert stage_directories(tmp_path, [first, second.changed({}, {"peak": 0.1})], {})[0] == own[0]
    assert not set(stage_directories(tmp_path, [first, second], {"hidden_size": 8})) & set(own)


def test_a_refused_word_is_no_name():
    def names(refused):
        with refusing(refused):
            return {name for n in range(300) for name in (pet_name(Random(n), True), town_name(Random(n), True))}

    free, refused = names(set()), {"fido", "oslo", "port"}
    assert {"Fido", "Oslo"} <= free and any(name.startswith("Port ") for name in free)
    assert names(refused) & free == {name for name in free if name.lower() not in refused}
    assert names(set()) == free, "only inside"
    pets = {name.lower() for name in parts.PETS}
    with refusing(pets), pytest.raises(ValueError, match="none is on the right side"):
        pet_name(Random(0), True)


def test_no_name_of_a_person_in_the_held_out_sets_is_one_piece_of_the_vocabulary():
    words = {
        word
        for (task, _), items in held_out_sets(FILES).items()
        if task == "token-classification"
        for item in items
        for entity in item["entities"]
        if entity["label"] == "PER"
        for word in item["text"][entity["start"] : entity["end"]].split()
    }
    vocabulary = tokenizer_in(FILES)
    assert len(words) > 1000 and all(len(vocabulary.tokenize(word)) > 1 for word in words)
    assert all(is_held_out(word) for word in words)


def test_stages_count_on_in_one_log():
    first = [{"step": 1, "tokens": 10, "losses": {}}, {"step": 2, "tokens": 20, "figures": {}}]
    second = [{"step": 1, "tokens": 5, "losses": {}}, {"step": 3, "tokens": 15, "losses": {}}]
    own = joined([first, second, second])
    assert [(entry["step"], entry["tokens"]) for entry in own] == [(1, 10), (2, 20), (3, 25), (5, 35), (6, 40), (8, 50)]
    assert second[0]["step"] == 1, "the logs themselves stay"


def test_a_stage_with_other_items_and_settings():
    stage = Stage("one", 1, {("words", None): 10, ("words", "long"): 5}, Training())
    changed = stage.changed({("words", "long"): 0, ("words", None): 7}, {"peak": 0.5})
    assert changed.counts == {("words", None): 7} and changed.training.peak == 0.5
    assert stage.counts == {("words", None): 10, ("words", "long"): 5} and changed.seed == 1
