"""The text generator: the same everywhere, its gold right by construction, its splits apart."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from albert_export.errors import UnknownNameError
from tools.mini import worlds
from tools.mini.worlds import baseline, feeling_parts, names, notices, order, questions
from tools.mini.worlds.entities import MAKERS, Entity
from tools.mini.worlds.facts import KINDS
from tools.mini.worlds.kinds import Fact
from tools.mini.worlds.patterns import Pattern, parse
from tools.mini.worlds.world import Builder, build, is_unique

SEED = 11
COUNT = 300
GOLD = {
    "question-answering": {"question", "context", "answers", "answer_start"},
    "text-classification": {"text", "label"},
    "token-classification": {"text", "entities"},
    "multiple-choice": {"prompt", "choices", "label"},
    "fill-mask": {"text", "targets"},
    "pretraining": {"text", "text_pair", "label"},
    "feature-extraction": {"text", "text_pair", "score"},
}
NAMES = re.compile(r"[A-Z][a-z]+")


@cache
def _made(task: str, split: str, count: int, length: str) -> list[dict[str, Any]]:
    return list(worlds.generate(task, split, count, SEED, length=length))


def items(task: str, split: str = "held_out", count: int = COUNT, length: str = "normal") -> list[dict[str, Any]]:
    return deepcopy(_made(task, split, count, length))


def texts(item: dict[str, Any]) -> list[str]:
    """All that a reader of an item sees."""
    shown = [item[key] for key in ("question", "context", "text", "text_pair", "prompt") if key in item]
    return shown + item.get("choices", [])


def digest(made: Iterable[object]) -> str:
    return hashlib.sha256("\n".join(json.dumps(one, ensure_ascii=False) for one in made).encode()).hexdigest()[:16]


@pytest.mark.parametrize("task", worlds.TASKS)
@pytest.mark.parametrize("split", worlds.SPLITS)
def test_items_have_their_keys_and_unique_ids(task: str, split: str) -> None:
    made = items(task, split, 60)
    assert all(set(item) == GOLD[task] | {"id", "pattern"} for item in made)
    assert len({item["id"] for item in made}) == 60
    json.dumps(made)


@pytest.mark.parametrize("task", worlds.TASKS)
def test_items_depend_on_nothing_but_the_arguments(task: str) -> None:
    made = items(task, count=30)
    assert made == items(task, count=60)[:30]
    assert digest(made) != digest(worlds.generate(task, "held_out", 30, SEED + 1))
    assert digest(made) != digest(worlds.generate(task, "train", 30, SEED))


def test_sentences_depend_on_nothing_but_the_arguments() -> None:
    assert list(worlds.sentences("train", 20, 1)) == list(worlds.sentences("train", 40, 1))[:20]
    assert list(worlds.sentences("train", 20, 1)) != list(worlds.sentences("train", 20, 2))


@pytest.mark.parametrize("arguments", [("chess", "train"), ("pretraining", "test")])
def test_unknown_names_are_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(UnknownNameError):
        list(worlds.generate(*arguments, 1, 0))
    with pytest.raises(UnknownNameError):
        list(worlds.generate("pretraining", "train", 1, 0, length="endless"))


def wrong_answers(made: list[dict[str, Any]]) -> int:
    """Items whose first answer does not stand at its place, as whole words."""
    wrong = 0
    for item in made:
        start, context = item["answer_start"], item["context"]
        end = start + len(item["answers"][0])
        whole = not context[end : end + 1].isalnum() and not context[max(start - 1, 0) : start].isalnum()
        wrong += context[start:end] != item["answers"][0] or not whole
    return wrong


@pytest.mark.parametrize("split", worlds.SPLITS)
def test_answers_stand_where_they_are_said_to(split: str) -> None:
    made = items("question-answering", split, 1000)
    assert wrong_answers(made) == 0
    assert all(item["question"].endswith("?") for item in made)


def test_a_wrong_place_is_noticed() -> None:
    made = items("question-answering", count=20)
    made[3]["answer_start"] += 1
    assert wrong_answers(made) == 1


def test_an_ambiguous_question_is_never_asked() -> None:
    """Facts of one kind that share all that the question names leave more than one answer."""
    asked = 0
    for number in range(150):
        world, _ = build(Random(f"twice {number}"), False, "normal")
        chosen = questions.choose(Random(number), world, False)
        if chosen is None:
            continue
        index, role, ask, _ = chosen
        fact, given = world.facts[index], [one for one in ask.roles if one != role]
        twin = Fact(fact.kind, {**fact.values, role: Entity("other", {"": "something else"})})
        assert is_unique(fact, role, given, world.facts)
        assert not is_unique(fact, role, given, [*world.facts, twin])
        asked += 1
    assert asked > 120


def wrong_entities(made: list[dict[str, Any]]) -> int:
    """Items with spans that overlap, are cut inside a word, or miss a month or a firm's known last word."""
    wrong = 0
    for item in made:
        spans, text = item["entities"], item["text"]
        apart = all(one["end"] <= other["start"] for one, other in pairwise(spans))
        whole = all(
            text[span["start"]].isalnum() and not text[span["end"] : span["end"] + 1].isalpha() and span["label"]
            for span in spans
        )
        dated = [match.start() for match in re.finditer(r"\b(?:January|October|Monday|Sunday|[12]\d{3})\b", text)]
        covered = all(any(s["start"] <= at < s["end"] and s["label"] == "DATE" for s in spans) for at in dated)
        wrong += not (apart and whole and covered)
    return wrong


@pytest.mark.parametrize("split", worlds.SPLITS)
def test_entities_are_whole_and_complete(split: str) -> None:
    made = items("token-classification", split)
    assert wrong_entities(made) == 0
    assert {span["label"] for item in made for span in item["entities"]} == {"PER", "LOC", "ORG", "DATE"}


def test_a_missing_entity_is_noticed() -> None:
    made = items("token-classification", count=200)
    for item in made:
        item["entities"] = [span for span in item["entities"] if span["label"] != "DATE"]
    assert wrong_entities(made) > 50


@pytest.mark.parametrize(
    ("task", "key", "values"),
    [
        ("text-classification", "label", {"negative", "neutral", "positive"}),
        ("multiple-choice", "label", {0, 1, 2, 3}),
        ("pretraining", "label", {0, 1}),
        ("feature-extraction", "score", {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}),
    ],
)
def test_labels_are_spread_evenly(task: str, key: str, values: set[Any]) -> None:
    found = [item[key] for item in items(task, count=600)]
    assert set(found) == values
    assert min(found.count(value) for value in values) > 0.4 * 600 / len(values)


def test_choices_differ_and_one_is_right() -> None:
    for item in items("multiple-choice"):
        assert len(set(item["choices"])) == 4
        assert all(item["choices"])


def test_one_word_is_masked() -> None:
    for item in items("fill-mask"):
        assert item["text"].count("[MASK]") == 1
        assert re.fullmatch("[a-z]+", item["targets"][0])


@pytest.mark.parametrize(
    "kind", [kind for kind in MAKERS if Builder(Random(0), False).draw(kind).label not in (None, "DATE")]
)
def test_names_are_on_one_side_of_the_split(kind: str) -> None:
    sides = []
    for held_out in (False, True):
        builder = Builder(Random(kind), held_out)
        drawn = [MAKERS[kind](builder.rng, held_out).forms for _ in range(1500)]
        sides.append(
            {
                part
                for forms in drawn
                for part in ([forms["given"], *forms[""].split()[1:]] if "given" in forms else [forms[""]])
            }
        )
    assert len(sides[0]) > 300
    assert not sides[0] & sides[1]
    assert all(names.is_held_out(name) for name in sides[1]) and not any(map(names.is_held_out, sides[0]))


def all_patterns() -> Iterator[Pattern]:
    for kind in (*KINDS, *notices.NOTICES):
        yield from kind.says
        yield from kind.asides
        for asked in kind.asks.values():
            yield from asked
    for lines in (*feeling_parts.CLAUSES.values(), *feeling_parts.JOINS.values()):
        yield from lines
    for script in order.SCRIPTS:
        for step in script.steps:
            yield from step


def test_there_are_hundreds_of_patterns_and_a_fixed_share_is_reserved() -> None:
    found = list(all_patterns())
    assert len(found) == len({pattern.name for pattern in found}) >= 300
    assert 0.15 < sum(pattern.reserved for pattern in found) / len(found) < 0.25
    for kind in KINDS:
        for lines in (kind.says, *kind.asks.values()):
            assert len({pattern.reserved for pattern in lines}) == 2, kind.name


def test_patterns_name_only_roles_of_their_kind() -> None:
    for kind in (*KINDS, *notices.NOTICES):
        for pattern in (*kind.says, *(one for asked in kind.asks.values() for one in asked)):
            assert set(pattern.roles) | set(pattern.decoys) <= set(kind.roles), pattern.name
    for role, asked in ((role, asked) for kind in KINDS for role, asked in kind.asks.items()):
        assert all(role not in pattern.roles or role == "p" for pattern in asked), role


def reserved_names() -> set[str]:
    return {pattern.name for pattern in all_patterns() if pattern.reserved} | {
        s.name for s in order.SCRIPTS if s.reserved
    }


def used_names(made: list[dict[str, Any]]) -> set[str]:
    parts = {part for item in made for part in re.split(r"[ +]", item["pattern"])}
    return parts | {part.split(".")[0] for part in parts}


@pytest.mark.parametrize("task", worlds.TASKS)
def test_reserved_patterns_are_used_for_new_patterns_only(task: str) -> None:
    reserved = reserved_names()
    for split in ("train", "held_out"):
        assert not reserved & used_names(items(task, split))
    for item in items(task, "new_patterns"):
        assert reserved & used_names([item]), item


def leaks(held_out: list[dict[str, Any]], training: list[dict[str, Any]]) -> int:
    """Held-out items that training shows, whole or the text that is read."""
    seen = {" ".join(texts(item)[:2]).lower() for item in training} | {
        texts(item)[-1].lower() for item in training if "context" in item
    }
    return sum(" ".join(texts(item)[:2]).lower() in seen or texts(item)[-1].lower() in seen for item in held_out)


@pytest.mark.parametrize("task", worlds.TASKS)
def test_no_held_out_item_is_in_training(task: str) -> None:
    training = items(task, "train", 1500)
    for split in ("held_out", "new_patterns"):
        assert leaks(items(task, split), training) == 0


def test_a_leak_is_noticed() -> None:
    training = items("pretraining", "train", 50)
    assert leaks([training[7], *items("pretraining", count=10)], training) == 1


@pytest.mark.parametrize("split", worlds.SPLITS)
@pytest.mark.parametrize("task", worlds.TASKS)
def test_every_item_has_names_and_only_those_of_its_side(
    task: str, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no training item can equal a held-out one, however many are drawn."""
    drawn: list[str] = []
    on_side = names._on_side

    def recorded(draw: Callable[[], str], held_out: bool) -> str:
        drawn.append(on_side(draw, held_out))
        return drawn[-1]

    monkeypatch.setattr(names, "_on_side", recorded)
    for item in worlds.generate(task, split, 100, SEED):
        shown = " ".join(texts(item))
        own = {name for name in drawn if name in shown}
        assert own and {names.is_held_out(name) for name in own} == {split != "train"}, item
        drawn.clear()


def score(split: str) -> float:
    made = items("question-answering", split, 1000)
    return sum(baseline.exact_match(baseline.answer(x["question"], x["context"]), x["answers"]) for x in made) / len(
        made
    )


@pytest.mark.parametrize("split", ["held_out", "new_patterns"])
def test_counting_words_does_not_answer_half_of_the_questions(split: str) -> None:
    assert 0.2 < score(split) < 0.5


def test_the_baseline_answers_where_counting_words_is_enough() -> None:
    context = "Mira Holt works for Silver Works. Jonas Berg has a lamp. The lamp was bought on 3 May 2021."
    assert baseline.answer("Who works for Silver Works?", context) == "Mira Holt"
    assert baseline.answer("When was the lamp bought?", context) == "3 May 2021"
    assert baseline.exact_match("the Mira holt", ["Mira Holt"]) and not baseline.exact_match("Jonas", ["Mira"])


@pytest.mark.parametrize("task", worlds.TASKS)
def test_english_is_well_formed(task: str) -> None:
    wrong = re.compile(
        r"\ba [aeio]\w|\ban [^aeiouhAEIOU]|\b(\w+) \1\b|  |[.?!;,]{2}|[{}~]|(?:^|[.?!] )[a-z]| [.,;?!]|'s's"
    )
    for split in worlds.SPLITS:
        for item in items(task, split):
            for text in texts(item)[: 1 if task == "multiple-choice" else 2]:
                shown = text.replace("[MASK]", "Word") if "[MASK]" in text else text
                # Facts of a mask item end with an answer as a sentence of its own.
                assert task == "fill-mask" or not wrong.search(shown), (wrong.search(shown), text)


def test_a_pattern_is_parsed() -> None:
    pattern = parse("x", "*{p} did not buy {o~:a}, but {p:he} has {o:a}.")
    assert pattern.reserved and pattern.roles == ("p", "o") and pattern.decoys == ("o",)


def test_long_contexts_are_long() -> None:
    lengths = [len(item["context"].split()) for item in items("question-answering", count=100, length="long")]
    assert 100 < sum(lengths) / len(lengths) < 200 and max(lengths) < 260
