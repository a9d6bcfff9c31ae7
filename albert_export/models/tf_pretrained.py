"""What the TensorFlow models share: calling, fresh weights, loading and saving, resizing."""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
import inspect
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import keras
import numpy as np
import tensorflow as tf

from albert_export.checkpoints import write_sharded
from albert_export.checkpoints.h5_writing import write_h5
from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.names import row_of
from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.models import tf_inputs
from albert_export.models.filling import is_head
from albert_export.models.finding import (
    check_is_config,
    config_to_save,
    find,
    make_directory,
    new_vocabulary_size,
    task_of,
    write_config,
)
from albert_export.models.tf_layers import Dtype, Embedding, named_weights
from albert_export.models.tf_loading import StoredWeights, fill, is_unfilled, unfilled
from albert_export.models.tf_outputs import ModelOutput
from albert_export.models.tf_training import TrainedOnLabels

Output = TypeVar("Output", bound=ModelOutput)


class TFAlbertPreTrainedModel(TrainedOnLabels, keras.Model):  # type: ignore[misc]  # keras is untyped
    """Base of the seven models; methods and arguments are those of transformers 4.37.2.

    Args:
        config: Shape of the model; shared by all its parts.
        dtype: Dtype of weights and results, or a Keras dtype policy; default Keras's own.
        name: Name of the Keras model.

    Attributes:
        config: The model's configuration.
        name_or_path: What :meth:`from_pretrained` was given; empty for other models.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"
    name_or_path = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable(package="albert_export")(cls)  # `.keras` files name the class

    def __init__(self, config: AlbertConfig, *, dtype: Dtype | None = None, name: str | None = None) -> None:
        check_is_config(type(self), config)
        super().__init__(dtype=dtype, name=name)
        self.config = config
        self.built = True  # all variables are made in the constructor

    def post_init(self) -> None:
        """End a constructor: fill every weight, unless a checkpoint will."""
        if not is_unfilled():
            for name, variable in self.named_weights():
                if self.base() is self or not name.startswith(f"{self.base_model_prefix}."):
                    variable.assign(self.initial(name, tuple(variable.shape)))

    def initial(self, name: str, shape: tuple[int, ...]) -> tf.Tensor:
        """Return a fresh value of the weight of that name, as the reference draws it, from Keras's global seed."""
        row = row_of(canonical_name(name))
        assert row is not None, name
        if row.initial != "normal":
            return tf.fill(shape, 1.0 if row.initial == "ones" else 0.0)
        return keras.random.truncated_normal(shape, stddev=self.config.initializer_range, dtype="float32")

    def base(self) -> TFAlbertPreTrainedModel:
        """Return the :class:`TFAlbertModel` inside, or the model itself when it is one.

        No property, as PyTorch's ``base_model``: Keras, saving a model, would follow it for ever.
        """
        return cast("TFAlbertPreTrainedModel", getattr(self, self.base_model_prefix, self))

    def named_weights(self) -> Iterator[tuple[str, keras.Variable]]:
        """Yield (name, variable) for every weight, as ``named_parameters`` of the PyTorch models, each once.

        Linear weights lie as ``[in, out]``, the transpose of PyTorch's.
        """
        return named_weights(self)

    def num_parameters(self, only_trainable: bool = False) -> int:
        """Return how many numbers the weights hold, shared ones counted once.

        Args:
            only_trainable: Count only those that gradients reach.
        """
        counted = (variable for _, variable in self.named_weights() if variable.trainable or not only_trainable)
        return sum(int(np.prod(variable.shape)) for variable in counted)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model; arguments as of ``call``, in any of the reference's three forms."""
        inputs = tf_inputs.unpack(self.argument_names(), args, kwargs)
        # before Keras, which rewrites the errors that pass through it
        task = task_of(type(self))
        tf_inputs.check(self.config, inputs, choices=task is not None and "choices" in task.dynamic_axes)
        if task is not None and not self.regresses():
            tf_inputs.check_labels(self.config, task, inputs, self.label_outputs, self.ignored_label)
        return super().__call__(**inputs)

    def regresses(self) -> bool:
        """Return whether labels are numbers to predict, and not classes."""
        return False

    @classmethod
    def argument_names(cls) -> tuple[str, ...]:
        """Return the names that ``call`` takes, in order."""
        return tuple(inspect.signature(cls.call).parameters)[1:]

    def finish(self, output: Output, return_dict: bool | None) -> Output | tuple[Any, ...]:
        """Return ``output`` itself or its values as a tuple, as ``return_dict``, else the configuration, says."""
        wanted = self.config.use_return_dict if return_dict is None else return_dict
        return output if wanted else output.to_tuple()

    def get_config(self) -> dict[str, Any]:
        """Return what :meth:`from_config` makes the model from: plain values, as Keras stores them."""
        policy = keras.dtype_policies.serialize(self.dtype_policy)
        return {"config": self.config.to_dict(), "dtype": policy, "name": self.name}

    @classmethod
    def from_config(cls, config: AlbertConfig | Mapping[str, Any], **kwargs: Any) -> Self:
        """Return a model with fresh weights from a configuration, or from what :meth:`get_config` gave.

        Raises:
            ConfigError: A field breaks its rule.
        """
        if isinstance(config, AlbertConfig):
            return cls(config, **kwargs)
        fields = dict(config)
        dtype = fields.pop("dtype", None)
        if isinstance(dtype, Mapping):
            dtype = keras.dtype_policies.deserialize(dtype)
        return cls(AlbertConfig.from_dict(fields.pop("config")), dtype=dtype, **fields, **kwargs)

    # --- vocabulary

    def get_input_embeddings(self) -> Embedding:
        """Return the word embeddings; their ``weight`` is ``[V,E]``."""
        return cast("Embedding", self.base().embeddings.word_embeddings)

    def resize_token_embeddings(self, new_num_tokens: int | None = None) -> Embedding:
        """Grow or shrink the vocabulary, the decoder and its bias with it, and return the word embeddings.

        Rows that stay keep their weights; new ones are fresh (their bias 0). ``config.vocab_size`` follows. A
        model that was compiled must be compiled again: its optimizer knows the old weights.

        Args:
            new_num_tokens: Size wanted; by default the present one.

        Raises:
            InputError: A size below 1, or one that leaves out the padding token.
        """
        table = self.get_input_embeddings()
        present = int(table.weight.shape[0])
        rows = new_vocabulary_size(self.config, present, new_num_tokens, None)
        if rows != present:
            table.replace("weight", self._resized("albert.embeddings.word_embeddings.weight", table.weight, rows))
            head: Any = getattr(self, "predictions", None)
            if head is not None:
                head.replace("bias", self._resized("predictions.bias", head.bias, rows))
                if head.decoder is not None:
                    name = "predictions.decoder.weight"
                    head.decoder.replace("weight", self._resized(name, head.decoder.weight, rows))
            self.config.vocab_size = rows
            self.train_function = self.test_function = self.predict_function = None  # traced with the old weights
        return table

    def _resized(self, name: str, variable: keras.Variable, rows: int) -> tf.Tensor:
        old = variable.value
        kept = min(rows, old.shape[0])
        fresh = tf.cast(self.initial(name, (rows - kept, *old.shape[1:])), old.dtype)
        return tf.concat([old[:kept], fresh], axis=0)

    # --- files

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        saved_model: bool = False,
        *,
        max_shard_size: int | str = "5GB",
        safe_serialization: bool = False,
    ) -> None:
        """Write weights and ``config.json``, readable by :meth:`from_pretrained` and by transformers.

        Args:
            save_directory: Made if absent. Weights in the other format that lie there are left alone, and safetensors
                are read before ``tf_model.h5``.
            saved_model: Refused: a SavedModel is what ``albert-export savedmodel`` makes.
            max_shard_size: Largest safetensors file, in bytes or as ``"5GB"``; an index is written for several.
            safe_serialization: Write safetensors with the names of the PyTorch models, which every class reads; else
                ``tf_model.h5``, as the reference does by default. That format has no bfloat16, which is written as
                float32, with a warning.

        Raises:
            CheckpointError: The directory cannot be written, or the model is one that the reference's TensorFlow
                classes do not have, and ``tf_model.h5`` was to hold it: pruned, untied, or with relative positions.
            ConfigError: ``hidden_act`` is a callable, which a file cannot hold.
            InputError: ``saved_model``.
            MissingDependencyError: h5py is not installed.
        """
        if saved_model:
            raise InputError(
                "save_pretrained writes weights",
                received="saved_model=True",
                fix="albert-export savedmodel, or ax.export",
            )
        dtype = keras.backend.standardize_dtype(self.variable_dtype)
        widened = dtype == "bfloat16" and not safe_serialization
        config = config_to_save(self, "float32" if widened else dtype)
        weights = StoredWeights(self)
        if widened:
            warnings.warn(
                "tf_model.h5 holds no bfloat16: weights become float32, which holds each value exactly; "
                "safe_serialization=True keeps them",
                stacklevel=2,
            )
        if safe_serialization:
            write_sharded(save_directory, weights, max_shard_size=max_shard_size)
        else:
            make_directory(save_directory)
            task = task_of(type(self))
            architecture = type(self).__name__ if task is None else task.tensorflow_class
            write_h5(Path(save_directory, "tf_model.h5"), weights, config=self.config, architecture=architecture)
        write_config(config, save_directory)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *model_args: Any,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        ignore_mismatched_sizes: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str | None = None,
        output_loading_info: bool = False,
        from_pt: bool = False,  # noqa: ARG003
        from_flax: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Return a model with a checkpoint's weights, whichever framework wrote them.

        A head, or pooler, that the checkpoint lacks is filled freshly, with a warning that names its weights.

        Args:
            pretrained_model_name_or_path: A directory, the name of a built-in model, or a hub id.
            model_args: Further positional arguments of the constructor.
            config: Configuration to use in place of the checkpoint's, or where to read it.
            cache_dir: Where downloads are kept.
            ignore_mismatched_sizes: Fill weights of another shape freshly, with a warning, in place of an error.
            local_files_only: Never use the network.
            token: Token for private repositories.
            revision: Branch, tag or commit of a hub repository.
            output_loading_info: Return ``(model, info)``; ``info`` lists ``missing_keys``, ``unexpected_keys`` (weights
                of other heads), ``mismatched_keys`` and ``error_msgs`` (always empty: errors raise).
            from_pt: Accepted and not needed: weights of the PyTorch models are read in any case; torch must be
                installed for those in ``pytorch_model.bin`` only.
            from_flax: Read ``flax_model.msgpack``, whatever else is there.
            kwargs: Fields of the configuration to change (``num_labels``, ``id2label``, ``problem_type``, …); anything
                else, and everything when ``config`` is an object, goes to the constructor (``add_pooling_layer``,
                ``dtype``).

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
            formats=("msgpack",) if from_flax else None,
        )
        assert checkpoint is not None
        if not isinstance(config, AlbertConfig):
            found.update({name: kwargs.pop(name) for name in list(kwargs) if hasattr(found, name)})
        with unfilled():
            model = cls(found, *model_args, **kwargs)
        loaded = fill(
            model,
            checkpoint.numpy_tensors(),
            may_be_fresh=is_head,
            ignore_mismatched_sizes=ignore_mismatched_sizes,
        )
        model.name_or_path = str(pretrained_model_name_or_path)
        if loaded.fresh:
            warnings.warn(loaded.warning(cls.__name__, model.name_or_path), stacklevel=2)
        if output_loading_info:
            return model, loaded.info()  # type: ignore[return-value]  # only when asked for, as in the reference
        return model
