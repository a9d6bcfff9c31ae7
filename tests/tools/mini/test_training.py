"""Batches, losses and a moment of training."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.tools.mini.small import SHAPE, tokenizer, vocabulary_directory
from tools.mini import data
from tools.mini.batches import FULL_STOP, assemble, hint, plan
from tools.mini.encoding import IGNORED, TASKS, TOKEN_LABELS, encode_items
from tools.mini.losses import batch_losses
from tools.mini.masking import Masker
from tools.mini.model import MiniModel, gelu_by_sigmoid, mini_config
from tools.mini.renaming import RENAMED, Renamer
from tools.mini.schedule import Optimisers, learning_rate
from tools.mini.train import Training, batches, risen, train
from tools.mini.worlds.names import is_held_out


def masker() -> Masker:
    return Masker.of(tokenizer())


def model() -> MiniModel:
    torch.manual_seed(0)
    return MiniModel(mini_config(len(tokenizer().get_vocab()), **SHAPE))


def test_a_plan_has_every_item_once_within_its_tokens():
    chance = np.random.default_rng(0)
    lengths, rows = [chance.integers(5, 60, 300), chance.integers(5, 90, 50)], [1, 4]
    planned = list(plan(lengths, rows, [(0, 1), (0, 1)], 512, np.random.default_rng(1)))
    items = [item for batch in planned for item in batch]
    assert sorted(items) == [(0, n) for n in range(300)] + [(1, n) for n in range(50)]
    for batch in planned:
        longest = max(lengths[which][item] for which, item in batch)
        assert len(batch) == 1 or longest * sum(rows[which] for which, _ in batch) <= 512
    again = list(plan(lengths, rows, [(0, 1), (0, 1)], 512, np.random.default_rng(2)))
    assert again != planned


def test_a_plan_keeps_to_the_spells():
    lengths = [np.full(5000, 10), np.full(5000, 10)]
    planned = list(plan(lengths, [1, 1], [(0.0, 0.4), (0.6, 1.0)], 512, np.random.default_rng(1)))
    first = [which for batch in planned[: len(planned) // 4] for which, _ in batch]
    last = [which for batch in planned[-len(planned) // 16 :] for which, _ in batch]
    assert set(first) == {0} and set(last) == {1}


def test_a_batch_keeps_every_row_with_its_task():
    sets = [encode_items(tokenizer(), task, data.items_of(task, "train", 3, 7)) for task in TASKS]
    items = [(number, item) for number in range(len(sets)) for item in range(3)]
    batch = assemble(sets, items[::-1], masker(), np.random.default_rng(0))
    assert sum(len(rows) for rows in batch.rows.values()) == len(batch.ids) == sum(3 * s.rows_per_item for s in sets)
    for rows in sets:
        for place, item in zip(batch.rows[rows.task][:: rows.rows_per_item], (2, 1, 0), strict=True):
            row = item * rows.rows_per_item
            true = rows.ids[rows.starts[row] : rows.starts[row + 1]]
            whole = batch.words[place, : len(true)] == IGNORED
            assert whole.any() and (batch.ids[place, : len(true)] == true)[whole].all()
            if rows.task in ("multiple-choice", "feature-extraction", "text-classification"):
                assert whole.all()
            assert batch.mask[place].sum() == len(true)
            if rows.task == "question-answering":
                first, last = rows.labels[item].astype(int)
                assert whole[: rows.types[rows.starts[row] : rows.starts[row + 1]].argmax()].all()
                assert whole[first : last + 1].all()
        assert (batch.labels[rows.task] == rows.labels[::-1]).all()
    assert batch.positions.max() < 512


def test_other_words_stand_for_names_and_the_same_for_the_same():
    sets = [encode_items(tokenizer(), task, data.items_of(task, "train", 60, 7)) for task in RENAMED]
    renamer = Renamer.of(tokenizer(), sets)
    items = [(number, item) for number in range(2) for item in range(60)]
    plain = assemble(sets, items, None, np.random.default_rng(0))
    batch = assemble(sets, items, None, np.random.default_rng(0), renamer=renamer, renamed=0.5)
    changed = plain.ids != batch.ids
    assert 0.2 < changed.any(1).mean() < 0.8, "about half of the rows"
    tags = plain.tokens[plain.rows["token-classification"]]
    dates = [n for n, name in enumerate(TOKEN_LABELS) if name.endswith("DATE")]
    own = changed[plain.rows["token-classification"]]
    names = own[(tags > 0) & ~np.isin(tags, dates)].mean()
    assert names > 0.1
    # A vocabulary of 600 pieces spells much, and some letters stand mostly in names.
    assert own[tags == 0].mean() < 0.2 * names and own[np.isin(tags, dates)].mean() < 0.2 * names
    for before, after in zip(plain.ids, batch.ids, strict=True):
        pairs = set(zip(before.tolist(), after.tolist(), strict=True))
        assert len(pairs) == len(set(before.tolist())), "a piece becomes one other, wherever the row has it"
        assert len(pairs) == len(set(after.tolist())), "and two never become one"
    pieces = tokenizer().convert_ids_to_tokens(sorted(set(batch.ids[changed].tolist())))
    assert pieces and not any(is_held_out(piece.lstrip("▁")) for piece in pieces)
    assert (plain.labels["question-answering"] == batch.labels["question-answering"]).all()


def test_hints_say_what_stands_in_the_question_and_where_the_answer_is():
    ids = np.asarray([2, 50, 51, 3, 60, 50, 51, FULL_STOP, 51, 70, FULL_STOP, 3])
    types = np.asarray([0] * 4 + [1] * 8)
    hints = np.full((12, 3), IGNORED)
    hint(ids, types, 9, hints)
    assert (hints[:4] == IGNORED).all()
    assert hints[4:, 0].tolist() == [0, 1, 1, 0, 1, 0, 0, 1]  # the last [SEP] stands in both
    assert hints[4:, 1].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert hints[4:, 2].tolist() == [0, 0, 0, 0, 1, 1, 1, 0]
    without = np.full((12, 3), IGNORED)
    hint(ids, types, None, without)
    assert (without[4:, 2] == 0).all() and (without[:, :2] == hints[:, :2]).all()
    hint(ids, types, None, without, right=True)
    assert (without[4:, 2] == 1).all()


def test_padding_changes_no_loss():
    rows = encode_items(tokenizer(), "question-answering", data.items_of("question-answering", "train", 6, 8))
    made, chance = model(), np.random.default_rng(0)
    together = batch_losses(made, assemble([rows], [(0, n) for n in range(6)], None, chance))
    alone = [batch_losses(made, assemble([rows], [(0, n)], None, np.random.default_rng(0))) for n in range(6)]
    for name, loss in together.items():
        own = sum(float(losses[name].detach()) for losses in alone)
        # first positions are drawn, so rows may stand elsewhere; that alone may differ
        assert float(loss.detach()) == pytest.approx(own, rel=0.05)


def test_the_learning_rate_rises_and_falls():
    rates = [learning_rate(step, 1000, peak=1.0, warmup=100) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) in (99, 100) and rates[-1] < 0.03
    assert rates[:100] == sorted(rates[:100]) and rates[100:] == sorted(rates[100:], reverse=True)


def test_other_words_come_in_and_masked_ones_go():
    assert [risen(part, (0.2, 0.4)) for part in (0.0, 0.2, 0.3, 0.4, 1.0)] == pytest.approx([0, 0, 0.5, 1, 1])
    assert risen(0.0, (0.0, 0.0)) == 1, "from the beginning on"
    sets = [encode_items(tokenizer(), task, data.items_of(task, "train", 200, 7)) for task in RENAMED]
    plain = Training(tokens=2048, small=0.0, masked=0.0)
    changing = Training(tokens=2048, small=0.0, masked=1.0, renamed=1.0, renaming=(0.4, 0.6))
    renamer = Renamer.of(tokenizer(), sets)
    count, mean, made = batches(sets, masker(), changing, renamer)
    renamed, masked = [], []
    for own, other in zip(made, batches(sets, None, plain)[2], strict=True):
        whole = own.words == IGNORED
        renamed.append(((own.ids != other.ids) & whole).any(1).mean())
        masked.append((~whole).any(1).mean())
    assert len(renamed) == count >= 10 and mean == 400 / count
    third = count // 3
    assert max(renamed[:third]) == 0 and min(renamed[-third:]) > 0.5
    assert np.mean(masked[:third]) > 0.5 > np.mean(masked[-third:])


def test_muon_takes_over_the_matrices_of_the_encoder():
    def stepped(muon, steps=3):
        made = model()
        optimisers = Optimisers(made, muon)
        for _ in range(steps):
            for parameter in made.parameters():
                parameter.grad = torch.ones_like(parameter)
            optimisers.step(1e-3)
        assert all(parameter.grad is None for parameter in made.parameters())
        return dict(made.named_parameters())

    adam, never, late = stepped(None), stepped(3), stepped(2)
    assert all(torch.equal(adam[name], never[name]) for name in adam), "the step after the last is never taken"
    changed = {name for name in adam if not torch.equal(adam[name], late[name])}
    matrices = {name for name in adam if name.startswith("albert.") and adam[name].dim() == 2}
    assert {name for name in matrices if "embeddings" not in name} == changed - {"predictions.dense.weight"}
    assert not any("embeddings" in name or name.startswith(("heads", "hints")) for name in changed)


# torch's own compiler defines a method in a way that torch has deprecated, and asks a hidden state for its gradient.
@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning", "ignore:The .grad attribute:UserWarning")
def test_the_compiled_layer_computes_the_same():
    made, rows = model(), encode_items(tokenizer(), "words", data.items_of("words", "train", 8, 7))
    batch = assemble([rows], [(0, n) for n in range(8)], masker(), np.random.default_rng(0))

    def computed() -> tuple[torch.Tensor, torch.Tensor]:
        made.zero_grad()
        loss = batch_losses(made, batch)["masks"]
        loss.backward()
        gradient = dict(made.named_parameters())["albert.embeddings.word_embeddings.weight"].grad
        return loss.detach(), gradient.clone()

    before, names = computed(), set(made.state_dict())
    why_not = made.compile_layer()
    if why_not is not None and shutil.which("g++") is None:
        pytest.skip(f"this machine compiles nothing: {why_not}")
    assert why_not is None and set(made.state_dict()) == names
    assert all(parameter.grad is None for parameter in made.parameters())
    torch.testing.assert_close(computed(), before, rtol=1e-4, atol=1e-4)
    points = torch.linspace(-9, 9, 500)
    torch.testing.assert_close(gelu_by_sigmoid(points), torch.nn.functional.gelu(points, approximate="tanh"))


UNCOMPILED = """
import torch
from tools.mini.model import MiniModel, mini_config

made = MiniModel(mini_config(600, hidden_size=64, num_attention_heads=4, intermediate_size=64))
layer = made.albert.encoder.get_submodule("albert_layer_groups.0.albert_layers.0")
own, ids = layer.activation, torch.arange(8).unsqueeze(0)
before = made.states(ids, ids * 0, ids * 0 + 1, ids)[-1]
print(made.compile_layer())
assert layer.activation is own
assert torch.equal(made.states(ids, ids * 0, ids * 0 + 1, ids)[-1], before)
"""


@pytest.mark.slow
def test_without_a_compiler_the_layer_stays_and_the_cause_is_told(tmp_path):
    # In a process of its own: what one has compiled, it never compiles again.
    environment = {**os.environ, "CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", UNCOMPILED], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 and "compiler" in done.stdout.lower()


def test_training_lowers_the_losses_and_is_repeatable(tmp_path):
    counts = {("question-answering", "short"): 16, ("token-classification", None): 120, ("words", None): 16}
    paths = data.make(tmp_path / "data", vocabulary_directory(), counts, seed=1, processes=1)
    sets = data.load(paths)
    training = Training(tokens=1024, peak=1e-2, warmup=3, steps=16, report=4, look=1000)

    def run(directory=None):
        made = model()
        log = train(made, sets, masker(), training, look=lambda step: {"step": step}, directory=directory, say=str)
        return made, [entry for entry in log if "losses" in entry]

    made, log = run(tmp_path)
    first, last = log[0]["losses"], log[-1]["losses"]
    assert last["token-classification"] < 0.9 * first["token-classification"]
    assert (tmp_path / "checkpoint.pt").exists() and (tmp_path / "log.jsonl").exists()
    again, same = run()
    assert [entry["losses"] for entry in same] == [entry["losses"] for entry in log]
    assert all(torch.equal(one, two) for one, two in zip(made.parameters(), again.parameters(), strict=True))


def test_renamed_rows_take_a_renamer():
    sets = [encode_items(tokenizer(), "words", data.items_of("words", "train", 3, 7))]
    with pytest.raises(ValueError, match="takes a renamer; received none"):
        train(model(), sets, masker(), Training(renamed=0.5), look=lambda step: {"step": step})


def test_rows_that_fill_a_batch_up_give_no_loss_and_no_gradient_that_is_not_finite():
    sets = [encode_items(tokenizer(), task, data.items_of(task, "train", 3, 7)) for task in TASKS]
    for task, rows in zip(TASKS, sets, strict=True):
        made = model()
        batch = assemble([rows], [(0, n) for n in range(3)], masker(), np.random.default_rng(0))
        assert len(batch.ids) % 4 == 0 and batch.ids.shape[1] % 8 == 0
        losses = batch_losses(made, batch)
        assert task in losses or task in ("words", "fill-mask")
        torch.stack(list(losses.values())).sum().backward()
        gradients = [parameter.grad for parameter in made.parameters() if parameter.grad is not None]
        assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


def test_shards_are_found_again_and_know_their_items(tmp_path):
    counts = {("words", None): 3, ("words", "long"): 2}
    made = data.make(tmp_path, vocabulary_directory(), counts, seed=2, processes=1)
    times = [path.stat().st_mtime_ns for path in made]
    assert data.make(tmp_path, vocabulary_directory(), counts, seed=2, processes=1) == made
    assert [path.stat().st_mtime_ns for path in made] == times
    (item, *_) = data.items_of("words", "train", 1, 2_000_000)
    found = data.training_fingerprints(counts, seed=2, processes=1)
    assert len(found) >= 4 and data.fingerprint("words", item) in found
    assert data.fingerprint("words", {"text": "Nobody wrote this."}) not in found
    assert data.stored_fingerprints(made) == {"words": found}
