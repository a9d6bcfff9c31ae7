"""What the Flax models share: parameters and configuration around a linen module; calling, loading and saving."""

from __future__ import annotations

from albert_export.models import _flax_required  # noqa: F401

# isort: split
import os
import warnings
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax.core import FrozenDict, unfreeze
from flax.traverse_util import flatten_dict, unflatten_dict

from albert_export._jax import wide_numbers
from albert_export.checkpoints import write_msgpack, write_sharded
from albert_export.checkpoints.flax_layout import is_transposed
from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.msgpack_writing import MSGPACK_NAME
from albert_export.checkpoints.names import PREFIX, parameters, row_of
from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.models import flax_inputs
from albert_export.models.filling import is_head
from albert_export.models.finding import check_is_config, config_to_save, find, make_directory, task_of, write_config
from albert_export.models.flax_compiling import Module, apply
from albert_export.models.flax_layers import Dtype
from albert_export.models.flax_loading import Params, StoredWeights, fill, flax_path, stored_tensors


class FlaxAlbertPreTrainedModel:
    """Base of the seven models; methods and arguments are those of transformers 4.37.2.

    Args:
        config: Shape of the model; kept, not copied.
        input_shape: Accepted for the reference's sake: no parameter depends on it.
        seed: Seed of fresh parameters.
        dtype: Dtype of the computation, in numbers of any width; parameters have their own, see :meth:`to_bf16`.
        _do_init: Whether the model holds parameters, fresh ones; else :meth:`init_weights` makes them, and they are
            given with every call.
        kwargs: Further fields of the linen module: ``form``, and ``add_pooling_layer`` of the bare model.

    Attributes:
        key: The random key that ``seed`` gives.
        dtype: As given.
        input_shape: As given.
        name_or_path: What :meth:`from_pretrained` was given; empty for other models.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"
    main_input_name = "input_ids"
    framework = "flax"
    name_or_path = ""
    #: The linen module of the class.
    module_class: ClassVar[Any] = None
    #: Whether inputs have an axis of choices after the batch.
    choices: ClassVar[bool] = False

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Dtype = jnp.float32,
        _do_init: bool = True,
        **kwargs: Any,
    ) -> None:
        check_is_config(type(self), config)
        self.check_config(config)
        self._config = config
        self._module = self.module_class(config=config, dtype=jnp.dtype(dtype), **kwargs)
        self.key = jax.random.PRNGKey(seed)
        self.dtype = dtype
        self.input_shape = input_shape
        self._is_initialized = _do_init
        self._params: Params | None = self.init_weights(self.key, input_shape) if _do_init else None

    def check_config(self, config: AlbertConfig) -> None:
        """Refuse a configuration that this model cannot have."""

    @property
    def config(self) -> AlbertConfig:
        """The model's configuration."""
        return self._config

    @property
    def module(self) -> Any:
        """The linen module, which holds no parameters."""
        return self._module

    # --- parameters

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return name -> shape of every parameter, named and oriented as PyTorch's ``named_parameters``."""
        task = task_of(type(self))
        assert task is not None
        pooler = getattr(self.module, "add_pooling_layer", True)
        bare = task.name == "feature-extraction"
        return {
            name.removeprefix(PREFIX if bare else ""): shape
            for name, shape in parameters(self.config, task, pooler=pooler).items()
        }

    def init_weights(
        self,
        rng: jax.Array,
        input_shape: tuple[int, ...] = (1, 1),  # noqa: ARG002
        params: Mapping[str, Any] | None = None,
    ) -> Params:
        """Return fresh parameters, in float32: the same for the same key.

        Args:
            rng: Random key.
            input_shape: Accepted for the reference's sake.
            params: Parameters to keep; only what they lack is made.
        """
        kept: dict[str, Any] = {} if params is None else flatten_dict(_plain(params), sep="/")
        for name, shape in self.parameter_shapes().items():
            if flax_path(name) not in kept:
                kept[flax_path(name)] = self.initial(rng, name, shape[::-1] if is_transposed(name) else shape)
        return _nested(kept)

    def initial(self, rng: jax.Array, name: str, shape: tuple[int, ...]) -> jax.Array:
        """Return a fresh value of the parameter of a PyTorch name, drawn with the deviation ``initializer_range``."""
        row = row_of(canonical_name(name))
        assert row is not None, name
        if row.initial != "normal":
            return jnp.full(shape, 1.0 if row.initial == "ones" else 0.0, jnp.float32)
        drawn = jax.random.normal(jax.random.fold_in(rng, zlib.crc32(name.encode())), shape, jnp.float32)
        return drawn * self.config.initializer_range

    def hold(self, params: Params) -> None:
        """Make these the model's parameters, also of a model that was made without."""
        self._is_initialized = True
        self.params = params

    @property
    def params(self) -> Params:
        """The model's parameters: dictionaries in dictionaries, with arrays at their ends.

        Raises:
            InputError: The model was made with ``_do_init=False``, or parameters that are set lack some.
        """
        if self._params is None:
            raise self._without()
        return self._params

    @params.setter
    def params(self, params: Mapping[str, Any]) -> None:
        if not self._is_initialized:
            raise self._without()
        plain = _plain(params)
        missing = self.required_params - flatten_dict(plain).keys()
        if missing:
            raise InputError(
                "params must have every parameter of the model",
                received="without " + ", ".join(sorted("/".join(path) for path in missing)),
            )
        self._params = plain

    def _without(self) -> InputError:
        return InputError(
            "a model made with _do_init=False holds no parameters",
            received=type(self).__name__,
            fix="keep what init_weights or from_pretrained gives, and call the model with params=",
        )

    @property
    def required_params(self) -> set[tuple[str, ...]]:
        """The path of every parameter."""
        return {tuple(flax_path(name).split("/")) for name in self.parameter_shapes()}

    @property
    def params_shape_tree(self) -> Params:
        """The parameters' shapes, in their place."""
        shapes = {
            flax_path(name): jax.ShapeDtypeStruct(shape[::-1] if is_transposed(name) else shape, jnp.float32)
            for name, shape in self.parameter_shapes().items()
        }
        return _nested(shapes)

    def num_parameters(self) -> int:
        """Return how many numbers the parameters hold, shared ones counted once."""
        return sum(array.size for array in jax.tree_util.tree_leaves(self.params))

    def to_bf16(self, params: Mapping[str, Any], mask: Any = None) -> Params:
        """Return parameters in bfloat16; the given ones, and the dtype of the computation, stay as they are.

        Args:
            params: Parameters.
            mask: Booleans in the same tree; where they are False, a parameter stays as it is.
        """
        return _cast(params, jnp.bfloat16, mask)

    def to_fp16(self, params: Mapping[str, Any], mask: Any = None) -> Params:
        """Return parameters in float16; see :meth:`to_bf16`."""
        return _cast(params, jnp.float16, mask)

    def to_fp32(self, params: Mapping[str, Any], mask: Any = None) -> Params:
        """Return parameters in float32; see :meth:`to_bf16`."""
        return _cast(params, jnp.float32, mask)

    # --- calling

    def __call__(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        params: Mapping[str, Any] | None = None,
        dropout_rng: jax.Array | None = None,
        train: bool = False,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Run the model, compiled for each shape of its inputs; ``jit``, ``grad`` and ``vmap`` may be around it.

        Arrays of any framework and lists of numbers are taken. Multiple choice has ``[B,N,S]`` for ``[B,S]``.

        Args:
            input_ids: Token ids, ``[B,S]`` int64 or int32.
            attention_mask: 1 at real tokens, 0 at padding, ``[B,S]``; default all 1.
            token_type_ids: Segment of each token, ``[B,S]``; default all 0.
            position_ids: Position of each token, ``[B,S]`` or ``[1,S]``; default 0 … S-1.
            params: Parameters; default the model's own.
            dropout_rng: Random key of dropout; needed with ``train``, where anything is dropped.
            train: Whether to drop out.
            output_attentions: Whether to return attention probabilities; default from the configuration.
            output_hidden_states: Whether to return every layer's output; default from the configuration.
            return_dict: Whether to return an output object in place of a tuple; default from the configuration.
                The tuple of a model without pooler has nothing in its place.

        Raises:
            InputError: A wrong rank, shape or dtype, an id outside its table, a sequence over
                ``max_position_embeddings``, or no parameters. Shapes and values are not checked while tracing.
        """
        config = self.config
        given = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
        }
        with wide_numbers(self.dtype):
            output = apply(
                Module(self.module, config),
                _plain(params) if params else self.params,
                flax_inputs.prepare(config, given, choices=self.choices),
                dropout_rng,
                train,
                bool(config.output_attentions if output_attentions is None else output_attentions),
                bool(config.output_hidden_states if output_hidden_states is None else output_hidden_states),
            )
        return output if (config.return_dict if return_dict is None else return_dict) else output.to_tuple()

    # --- files

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        params: Mapping[str, Any] | None = None,
        *,
        max_shard_size: int | str = "10GB",
        safe_serialization: bool = False,
    ) -> None:
        """Write parameters and ``config.json``, readable by :meth:`from_pretrained` and by transformers.

        Args:
            save_directory: Made if absent. Weights in another format that lie there are left alone, and
                ``flax_model.msgpack`` is what the Flax models read first.
            params: Parameters to write in place of the model's own.
            max_shard_size: Largest safetensors file, in bytes or as ``"10GB"``; an index is written for several.
            safe_serialization: Write safetensors with the names of the PyTorch models, which every class reads; else
                ``flax_model.msgpack``, as the reference does by default.

        Raises:
            CheckpointError: The directory cannot be written.
            ConfigError: ``hidden_act`` is a callable, which a file cannot hold.
            InputError: There are no parameters.
            WeightsMismatchError: ``params`` are not those of the model.
        """
        given = _plain(params) if params else self.params
        dtypes = {str(array.dtype) for array in jax.tree_util.tree_leaves(given)}
        config = config_to_save(self, dtypes.pop() if len(dtypes) == 1 else "float32")
        weights = StoredWeights(given)
        if safe_serialization:
            write_sharded(save_directory, weights, max_shard_size=max_shard_size)
        else:
            make_directory(save_directory)
            task = task_of(type(self))
            architecture = type(self).__name__ if task is None else task.flax_class
            write_msgpack(Path(save_directory, MSGPACK_NAME), weights, config=self.config, architecture=architecture)
        write_config(config, save_directory)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        dtype: Dtype = jnp.float32,
        *model_args: Any,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        ignore_mismatched_sizes: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str | None = None,
        from_pt: bool = False,
        _do_init: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Return a model with a checkpoint's weights, whichever framework wrote them, in the dtypes they are stored in.

        A head, or pooler, that the checkpoint lacks is filled freshly, with a warning that names its parameters.

        Args:
            pretrained_model_name_or_path: A directory, the name of a built-in model, or a hub id.
            dtype: Dtype of the computation; parameters are changed with :meth:`to_bf16` and its like.
            model_args: Further positional arguments of the constructor.
            config: Configuration to use in place of the checkpoint's, or where to read it.
            cache_dir: Where downloads are kept.
            ignore_mismatched_sizes: Fill weights of another shape freshly, with a warning, in place of an error.
            local_files_only: Never use the network.
            token: Token for private repositories.
            revision: Branch, tag or commit of a hub repository.
            from_pt: Read weights of the PyTorch models, whatever else is there; torch must be installed for those in
                ``pytorch_model.bin`` only. Without it they are read where there is no ``flax_model.msgpack``.
            _do_init: Give the parameters to the model; else return ``(model, params)``, in which what the checkpoint
                lacks is missing: ``init_weights(rng, input_shape, params)`` adds it.
            kwargs: Fields of the configuration to change (``num_labels``, ``id2label``, ``problem_type``, …); anything
                else, and everything when ``config`` is an object, goes to the constructor (``add_pooling_layer``,
                ``seed``).

        Raises:
            CheckpointError: The checkpoint cannot be found or read, or is in a format not read here.
            WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
            ConfigError: A field breaks its rule.
        """
        found, checkpoint = find(
            cls,
            pretrained_model_name_or_path,
            config,
            {"revision": revision, "cache_dir": cache_dir, "local_files_only": local_files_only, "token": token},
            formats=("safetensors", "torch") if from_pt else ("msgpack", "safetensors", "torch", "h5", "tf1"),
        )
        assert checkpoint is not None
        if not isinstance(config, AlbertConfig):
            found.update({name: kwargs.pop(name) for name in list(kwargs) if hasattr(found, name)})
        model = cls(found, *model_args, **{"dtype": dtype, "_do_init": False, **kwargs})
        params, loaded = fill(
            model,
            stored_tensors(checkpoint),
            dtype=None,
            may_be_fresh=is_head,
            fresh=partial(model.initial, model.key) if _do_init else lambda name, shape: None,  # noqa: ARG005
            ignore_mismatched_sizes=ignore_mismatched_sizes,
        )
        model.name_or_path = str(pretrained_model_name_or_path)
        if loaded.fresh:
            warnings.warn(loaded.warning(cls.__name__, model.name_or_path), stacklevel=2)
        if not _do_init:
            return model, params
        model.hold(params)
        return model


def _cast(params: Mapping[str, Any], dtype: Any, mask: Any) -> Params:
    def cast(array: Any, wanted: bool = True) -> Any:
        is_number = isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jnp.floating)
        return array.astype(dtype) if wanted and is_number else array

    masks = () if mask is None else (_plain(mask),)
    changed: Params = jax.tree_util.tree_map(cast, _plain(params), *masks)
    return changed


def _plain(params: Mapping[str, Any]) -> Params:
    return unfreeze(params) if isinstance(params, FrozenDict) else dict(params)


def _nested(arrays: Mapping[str, Any]) -> Params:
    tree: Params = unflatten_dict(dict(arrays), sep="/")
    return tree
