"""Calling Flax models: their forms, transformations of JAX around them, dropout, precision, refused inputs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from albert_export.errors import ConfigError, InputError
from albert_export.models import flax_albert, flax_compiling, flax_outputs
from albert_export.models.flax_encoder import Form
from tests.models.conftest import tiny_config
from tests.models.flax_models import FLAX_CLASSES, tiny_flax_model

IDS = np.random.RandomState(0).randint(1, 61, (2, 7))


@pytest.fixture(scope="module")
def masked_lm() -> Any:
    return tiny_flax_model("FlaxAlbertForMaskedLM")


def ids_of(name: str) -> np.ndarray:
    return np.stack([IDS, IDS + 1, IDS], axis=1) % 61 if name == "FlaxAlbertForMultipleChoice" else IDS


@pytest.mark.parametrize("name", FLAX_CLASSES)
def test_parameters_are_those_that_the_linen_module_makes(name: str) -> None:
    config = tiny_config(num_hidden_groups=2, num_hidden_layers=4, pruned_heads={0: [1]}, tie_word_embeddings=False)
    model = getattr(flax_albert, name)(config, seed=3)
    inputs = jnp.zeros((1, 1, 1) if name == "FlaxAlbertForMultipleChoice" else (1, 1), jnp.int32)
    made = jax.eval_shape(model.module.init, model.key, inputs, inputs)["params"]
    shapes = jax.tree_util.tree_map(lambda array: array.shape, made)
    assert shapes == jax.tree_util.tree_map(lambda array: array.shape, model.params)
    assert shapes == jax.tree_util.tree_map(lambda array: array.shape, model.params_shape_tree)
    assert model.required_params == set(flatten_dict(model.params))


def test_fresh_parameters_depend_on_the_seed_alone() -> None:
    one, same, other = (flax_albert.FlaxAlbertForMaskedLM(tiny_config(), seed=seed) for seed in (1, 1, 2))
    leaves = [jax.tree_util.tree_leaves(model.params) for model in (one, same, other)]
    assert all(np.array_equal(a, b) for a, b in zip(leaves[0], leaves[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(leaves[0], leaves[2], strict=True))
    embeddings = one.params["albert"]["embeddings"]
    assert 0.015 < np.std(embeddings["word_embeddings"]["embedding"]) < 0.025
    assert np.all(embeddings["LayerNorm"]["scale"] == 1)
    assert np.all(one.params["predictions"]["bias"] == 0)
    assert one.num_parameters() == sum(leaf.size for leaf in leaves[0])


def test_a_model_without_parameters_is_given_them_with_every_call() -> None:
    model = flax_albert.FlaxAlbertModel(tiny_config(), _do_init=False)
    for use in (lambda: model.params, lambda: model(IDS), lambda: setattr(model, "params", {})):
        with pytest.raises(InputError, match="a model made with _do_init=False holds no parameters"):
            use()
    params = model.init_weights(model.key, (1, 1))
    held = flax_albert.FlaxAlbertModel(tiny_config())
    np.testing.assert_array_equal(model(IDS, params=params)[0], held(IDS)[0])
    del params["pooler"]
    kept = params["encoder"]["embedding_hidden_mapping_in"]["kernel"] = jnp.ones((8, 16))
    filled = model.init_weights(jax.random.PRNGKey(5), (1, 1), params)
    assert filled["encoder"]["embedding_hidden_mapping_in"]["kernel"] is kept
    assert filled["pooler"]["kernel"].shape == (16, 16)
    with pytest.raises(InputError, match="params must have every parameter of the model; received without pooler/bias"):
        held.params = params


@pytest.mark.parametrize("name", FLAX_CLASSES)
def test_a_tuple_has_what_the_output_has(name: str) -> None:
    model = tiny_flax_model(name)
    options = {"output_hidden_states": True, "output_attentions": True}
    with jax.disable_jit():
        output = model(ids_of(name), **options)
        values = model(ids_of(name), **options, return_dict=False)
    assert type(output).__name__.startswith("Flax")
    assert len(values) == len(output)
    for one, other in zip(output.to_tuple(), values, strict=True):
        jax.tree_util.tree_map(np.testing.assert_array_equal, one, other)
    assert (len(output.hidden_states), len(output.attentions)) == (4, 3)


def test_an_output_is_a_tree_to_jax() -> None:
    output = flax_outputs.FlaxMaskedLMOutput(jnp.ones(2), (jnp.zeros(1), jnp.zeros(1)))
    doubled = jax.jit(lambda one: jax.tree_util.tree_map(lambda leaf: leaf * 2, one))(output)
    assert type(doubled) is flax_outputs.FlaxMaskedLMOutput
    assert list(doubled) == ["logits", "hidden_states"]
    assert doubled.attentions is None
    np.testing.assert_array_equal(doubled.logits, [2, 2])
    assert output.replace(logits=None).logits is None
    with pytest.raises(TypeError, match="has the fields"):
        output.replace(scores=1)


def test_compiled_differentiated_and_vectorised(masked_lm: Any) -> None:
    logits = masked_lm(IDS).logits
    compiled = jax.jit(lambda params, ids: masked_lm(ids, params=params).logits)
    np.testing.assert_allclose(compiled(masked_lm.params, IDS), logits, atol=1e-5)
    mapped = jax.vmap(lambda ids: masked_lm(ids[None]).logits[0])(jnp.asarray(IDS))
    np.testing.assert_allclose(mapped, logits, atol=1e-4)

    def loss(params: Any) -> jax.Array:
        scores = jax.nn.log_softmax(masked_lm(IDS, params=params).logits)
        return -jnp.take_along_axis(scores, jnp.asarray(IDS)[..., None], axis=-1).mean()

    value, gradients = jax.value_and_grad(loss)(masked_lm.params)
    stepped = jax.tree_util.tree_map(lambda one, slope: one - 0.01 * slope, masked_lm.params, gradients)
    assert loss(stepped) < value
    assert all(np.isfinite(leaf).all() for leaf in jax.tree_util.tree_leaves(gradients))
    assert np.count_nonzero(gradients["albert"]["embeddings"]["word_embeddings"]["embedding"]) > 100


def test_a_batch_may_be_closed_over(masked_lm: Any) -> None:
    ids = jnp.asarray(IDS)
    closed_over = jax.jit(lambda params: masked_lm(ids, params=params).logits)(masked_lm.params)
    assert np.allclose(closed_over, masked_lm(ids).logits, atol=1e-6)
    outside = ids + 1000
    with pytest.raises(InputError, match=r"input_ids must lie in \[0, vocab_size\)"):
        jax.jit(lambda params: masked_lm(outside, params=params).logits)(masked_lm.params)


def test_equal_models_are_compiled_once_and_others_are_not(masked_lm: Any) -> None:
    masked_lm(IDS)
    before = flax_compiling.apply._cache_size()
    twin = tiny_flax_model("FlaxAlbertForMaskedLM", seed=1)
    assert not np.array_equal(twin(IDS).logits, masked_lm(IDS).logits)
    assert flax_compiling.apply._cache_size() == before
    logits = twin(IDS).logits
    twin.config.num_hidden_layers = 2  # a module reads its configuration when it runs, in the reference too
    assert not np.array_equal(twin(IDS).logits, logits)
    assert flax_compiling.apply._cache_size() == before + 1


def test_the_form_changes_the_graph_and_not_the_numbers() -> None:
    model = tiny_flax_model("FlaxAlbertModel", num_hidden_layers=6, num_hidden_groups=2)
    mask = jnp.ones(IDS.shape, jnp.int32).at[0, 4:].set(0)

    def run(form: Form) -> tuple[str, np.ndarray]:
        module = model.module.clone(form=form)
        program = jax.jit(lambda params, ids: module.apply({"params": params}, ids, mask)[0])
        lowered = program.lower(model.params, jnp.asarray(IDS, jnp.int32))
        return lowered.as_text(), np.asarray(lowered.compile()(model.params, jnp.asarray(IDS, jnp.int32)))

    rolled, states = run(Form())
    unrolled, same = run(Form(rolled=False, mask_bias=-10000.0))
    assert (rolled.count("stablehlo.while"), unrolled.count("stablehlo.while")) == (2, 0)
    assert len(unrolled) > 1.5 * len(rolled)
    np.testing.assert_allclose(same, states, atol=1e-5)


def test_dropout_takes_its_key() -> None:
    dropped = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3, "num_hidden_layers": 1}
    model = tiny_flax_model("FlaxAlbertForMaskedLM", **dropped)
    key = jax.random.PRNGKey(0)
    with jax.disable_jit():
        one, same, other = (model(IDS, train=True, dropout_rng=k).logits for k in (key, key, jax.random.PRNGKey(1)))
        plain = model(IDS).logits
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)
        assert not np.array_equal(one, plain)
        np.testing.assert_array_equal(model(IDS, dropout_rng=key).logits, plain)
        with pytest.raises(Exception, match="dropout"):
            model(IDS, train=True)
    # every turn of a loop draws anew: else three equal layers would drop the same
    everything = {"train": True, "dropout_rng": key, "output_attentions": True}
    attentions = tiny_flax_model("FlaxAlbertModel", attention_probs_dropout_prob=0.5)(IDS, **everything).attentions
    zeros = [np.asarray(one == 0) for one in attentions]
    assert zeros[0].any()
    assert not np.array_equal(zeros[0], zeros[1])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(dtype: str, masked_lm: Any) -> None:
    logits = masked_lm(IDS).logits
    model = tiny_flax_model("FlaxAlbertForMaskedLM", dtype=jnp.dtype(dtype))
    mixed = model(IDS, output_hidden_states=True)
    assert mixed.hidden_states[1].dtype == dtype
    assert {leaf.dtype.name for leaf in jax.tree_util.tree_leaves(model.params)} == {"float32"}
    cast = {"bfloat16": model.to_bf16, "float16": model.to_fp16}[dtype]
    model.params = cast(model.params)
    assert {leaf.dtype.name for leaf in jax.tree_util.tree_leaves(model.params)} == {dtype}
    half = model(IDS).logits
    assert half.dtype == dtype
    for one in (mixed.logits, half):
        assert 0 < np.abs(np.asarray(one, np.float32) - logits).mean() < 0.05
    mask = jax.tree_util.tree_map(lambda leaf: leaf.ndim == 2, model.params)
    wide = model.to_fp32(model.params, mask)
    assert {leaf.dtype.name for leaf in jax.tree_util.tree_leaves(wide) if leaf.ndim == 1} == {dtype}
    assert {leaf.dtype.name for leaf in jax.tree_util.tree_leaves(wide) if leaf.ndim == 2} == {"float32"}
    masked = model(IDS, attention_mask=np.zeros_like(IDS)).logits
    assert np.isfinite(np.asarray(masked, np.float32)).all()


def test_float64_leaves_the_switch_of_jax_alone() -> None:
    model = tiny_flax_model("FlaxAlbertModel", dtype="float64")
    with jax.disable_jit():
        assert model(IDS)[0].dtype == np.float64
    assert jnp.ones(1).dtype == np.float32
    assert not jax.config.jax_enable_x64


def test_defaults_are_ones_zeros_and_places(masked_lm: Any) -> None:
    outright = {
        "attention_mask": np.ones_like(IDS),
        "token_type_ids": np.zeros_like(IDS),
        "position_ids": np.arange(7),
    }
    with jax.disable_jit():
        logits = masked_lm(IDS).logits
        np.testing.assert_array_equal(masked_lm(IDS.tolist(), **outright).logits, logits)
        np.testing.assert_array_equal(masked_lm(jnp.asarray(IDS)).logits, logits)
        assert not np.array_equal(masked_lm(IDS, position_ids=np.arange(7)[::-1]).logits, logits)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"input_ids": None}, "exactly one of input_ids"),
        ({"input_ids": IDS + 60}, r"input_ids must lie in \[0, vocab_size\)"),
        ({"input_ids": IDS[0]}, r"input_ids must be \[batch, sequence\]"),
        ({"input_ids": IDS.astype(np.float32)}, "input_ids must be int64 or int32"),
        ({"input_ids": [["a"]]}, "input_ids must be an array of numbers"),
        ({"input_ids": [[1, 2], [3]]}, "input_ids must be an array of numbers"),
        ({"input_ids": np.ones((1, 25), np.int64)}, "at most max_position_embeddings = 24"),
        ({"attention_mask": np.ones((2, 6))}, r"attention_mask must have the shape \(2, 7\)"),
        ({"token_type_ids": IDS}, "token_type_ids must lie in"),
        ({"position_ids": IDS}, "position_ids must lie in"),
        ({"input_ids": np.zeros((0, 7), np.int64)}, "at least one row"),
    ],
)
def test_what_cannot_be_run_is_told(inputs: dict[str, Any], told: str, masked_lm: Any) -> None:
    with pytest.raises(InputError, match=told):
        masked_lm(**{"input_ids": IDS, **inputs})


def test_choices_need_their_axis() -> None:
    model = tiny_flax_model("FlaxAlbertForMultipleChoice")
    with pytest.raises(InputError, match=r"input_ids must be \[batch, choices, sequence\]"):
        model(IDS)
    with jax.disable_jit():
        assert model(ids_of("FlaxAlbertForMultipleChoice")).logits.shape == (2, 3)


def test_answers_need_two_labels() -> None:
    with pytest.raises(ConfigError, match="num_labels must be 2 for question answering"):
        flax_albert.FlaxAlbertForQuestionAnswering(tiny_config(num_labels=3))


def test_a_pooler_may_be_left_out() -> None:
    model = tiny_flax_model("FlaxAlbertModel", add_pooling_layer=False)
    with jax.disable_jit():
        assert list(model(IDS)) == ["last_hidden_state"]
        assert len(model(IDS, return_dict=False)) == 1
    assert "pooler" not in model.params
    with pytest.raises(TypeError):
        flax_albert.FlaxAlbertForMaskedLM(tiny_config(), add_pooling_layer=False)
