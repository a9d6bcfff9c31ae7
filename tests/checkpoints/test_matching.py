from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.checkpoints import check_shapes, match_names, parameters, tied_names
from albert_export.checkpoints.names import TIED_COPY_REASON
from albert_export.tasks import TASKS, Task, get_task
from tests.checkpoints.tiny import tiny_config

CONFIG = tiny_config()
EMBEDDING = "albert.embeddings.word_embeddings.weight"
DECODER = {"predictions.decoder.weight", "predictions.decoder.bias"}


def names(task: str, **changes: object) -> list[str]:
    return list(parameters(tiny_config(**changes), get_task(task)))


def bare(canonical: list[str]) -> list[str]:
    return [name.removeprefix("albert.") for name in canonical]


def test_the_same_head_is_consumed_whole() -> None:
    wanted = names("question-answering")
    matching = match_names(wanted, wanted)
    assert matching.renames == {name: name for name in wanted}
    assert (matching.missing, matching.unexpected, matching.ignored) == ((), (), {})


def test_bare_encoder_into_a_head() -> None:
    wanted = names("text-classification")
    stored = bare(names("feature-extraction"))
    matching = match_names(stored, wanted)
    assert matching.renames == {name: f"albert.{name}" for name in stored}
    assert matching.missing == ("classifier.bias", "classifier.weight")
    assert matching.unexpected == ()


def test_head_into_a_bare_encoder() -> None:
    wanted = bare(names("feature-extraction"))
    matching = match_names(names("pretraining") + sorted(DECODER), wanted, tied=tied_names(CONFIG))
    assert matching.renames == {f"albert.{name}": name for name in wanted}
    assert (matching.missing, matching.unexpected) == ((), ())
    assert set(matching.ignored) == {name for name in names("pretraining") if "albert." not in name} | DECODER


@pytest.mark.parametrize("stored", TASKS, ids=lambda task: f"from {task.name}")
@pytest.mark.parametrize("wanted", TASKS, ids=lambda task: f"to {task.name}")
def test_other_heads_are_left_over_and_lacking_ones_missing(stored: Task, wanted: Task) -> None:
    has, needs = set(parameters(CONFIG, stored)), set(parameters(CONFIG, wanted))
    matching = match_names(has, needs, tied=tied_names(CONFIG))
    assert set(matching.renames.values()) == has & needs
    assert set(matching.missing) == needs - has
    assert set(matching.ignored) == has - needs
    assert matching.unexpected == ()


def test_old_buffers_are_left_over() -> None:
    wanted = names("question-answering")
    buffers = ["albert.embeddings.position_ids", "albert.embeddings.token_type_ids"]
    matching = match_names(wanted + buffers, wanted)
    assert sorted(matching.ignored) == buffers
    assert all("buffer" in reason for reason in matching.ignored.values())
    prefixless = match_names([*bare(names("feature-extraction")), "embeddings.position_ids"], wanted)
    assert list(prefixless.ignored)[:1] == ["embeddings.position_ids"]


@pytest.mark.parametrize(
    "name",
    [
        "albert.encoder.albert_layer_groups.1.albert_layers.0.ffn.weight",
        "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.distance_embedding.weight",
        "classifier.dense.weight",
        "qa_outputs.scale",
        "bert.embeddings.word_embeddings.weight",
        "module.albert.pooler.weight",
        "position_ids",
    ],
)
def test_what_the_table_does_not_excuse_is_unexpected(name: str) -> None:
    wanted = names("question-answering")
    matching = match_names([*wanted, name], wanted, tied=tied_names(CONFIG))
    assert matching.unexpected == (name,)


def test_a_row_does_not_excuse_weights_of_a_head_that_the_model_has() -> None:
    wanted = names("fill-mask")
    # Untied here, but the model is tied and a decoder bias without its pair would be a second bias.
    matching = match_names([*wanted, "predictions.decoder.weight"], wanted, tied={})
    assert matching.unexpected == ("predictions.decoder.weight",)


def test_tied_copies_are_read_where_the_reference_reads_them() -> None:
    wanted = names("fill-mask")
    matching = match_names([*wanted, *DECODER], wanted, tied=tied_names(CONFIG))
    assert matching.renames["predictions.decoder.weight"] == EMBEDDING
    assert matching.renames["predictions.decoder.bias"] == "predictions.bias"
    assert matching.ignored == {EMBEDDING: TIED_COPY_REASON, "predictions.bias": TIED_COPY_REASON}
    assert (matching.missing, matching.unexpected) == ((), ())


def test_either_name_of_a_tied_pair_fills_it() -> None:
    # A model may count the second names among its parameters, as torch's state_dict does.
    for wanted in (names("fill-mask"), [*names("fill-mask"), *DECODER]):
        for first, second in (
            (EMBEDDING, "predictions.decoder.weight"),
            ("predictions.bias", "predictions.decoder.bias"),
        ):
            stored = [name for name in names("fill-mask") if name != first]
            matching = match_names([*stored, second], wanted, tied=tied_names(CONFIG))
            assert matching.renames[second] == first
            assert (matching.missing, matching.unexpected) == ((), ())
            without = match_names(stored, wanted, tied=tied_names(CONFIG))
            assert without.missing == (first,)


def test_untied_decoder_has_a_weight_of_its_own_and_the_bias_of_the_head() -> None:
    config = tiny_config(tie_word_embeddings=False)
    wanted = names("fill-mask", tie_word_embeddings=False)
    matching = match_names([*wanted, "predictions.decoder.bias"], wanted, tied=tied_names(config))
    assert matching.renames["predictions.decoder.weight"] == "predictions.decoder.weight"
    assert matching.renames[EMBEDDING] == EMBEDDING
    assert matching.renames["predictions.decoder.bias"] == "predictions.bias"
    tied_file = match_names(names("fill-mask"), wanted, tied=tied_names(config))
    assert tied_file.missing == ("predictions.decoder.weight",)


def test_spellings_of_the_first_releases() -> None:
    wanted = names("question-answering")
    old = [name.replace(".weight", ".gamma").replace(".bias", ".beta") if "orm." in name else name for name in wanted]
    assert old != wanted
    matching = match_names(old, wanted)
    assert matching.renames == dict(zip(old, wanted, strict=True))
    both = match_names([*wanted, "albert.embeddings.LayerNorm.gamma"], wanted)
    assert len(both.unexpected) == 1


def test_two_spellings_of_one_weight_are_not_both_consumed() -> None:
    wanted = names("feature-extraction")
    matching = match_names([*wanted, "pooler.weight"], wanted)
    assert matching.unexpected == ("pooler.weight",)


def test_shapes() -> None:
    wanted = parameters(CONFIG, get_task("question-answering"))
    stored = {name.removeprefix("albert."): shape for name, shape in wanted.items()}
    matching = match_names(stored, wanted)
    assert check_shapes(matching, stored, wanted) == ()
    stored["embeddings.word_embeddings.weight"] = (41, 8)
    stored["qa_outputs.bias"] = ()
    assert check_shapes(matching, stored, wanted) == (
        f"{EMBEDDING}: [41, 8] against [40, 8]",
        "qa_outputs.bias: [] against [2]",
    )


ALL = sorted({*names("pretraining"), *names("text-classification"), *names("question-answering"), *DECODER})


@settings(max_examples=200, deadline=None)
@given(
    st.sets(st.sampled_from([*ALL, *bare(ALL), "albert.embeddings.position_ids", "surprise", "classifier.x"])),
    st.sampled_from(TASKS),
    st.booleans(),
)
def test_every_name_has_one_fate(stored: set[str], task: Task, tied: bool) -> None:
    config = tiny_config(tie_word_embeddings=tied)
    wanted = parameters(config, task)
    matching = match_names(stored, wanted, tied=tied_names(config))
    fates = [*matching.renames, *matching.ignored, *matching.unexpected]
    assert sorted(fates) == sorted(stored)
    filled = list(matching.renames.values())
    assert sorted([*filled, *matching.missing]) == sorted(wanted)
    assert match_names(sorted(stored, reverse=True), list(wanted)[::-1], tied=tied_names(config)) == matching
