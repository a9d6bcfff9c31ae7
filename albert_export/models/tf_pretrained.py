"""What the TensorFlow models share: calling, fresh weights, training on labels that come with the batch."""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import keras
import tensorflow as tf

from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.names import row_of
from albert_export.config import AlbertConfig
from albert_export.models import tf_inputs
from albert_export.models.tf_layers import Dtype, named_weights
from albert_export.models.tf_outputs import ModelOutput

Output = TypeVar("Output", bound=ModelOutput)

_unfilled: ContextVar[bool] = ContextVar("unfilled", default=False)


@contextmanager
def unfilled() -> Iterator[None]:
    """Inside this block new models keep the zeros they are made with: something else fills them."""
    token = _unfilled.set(True)
    try:
        yield
    finally:
        _unfilled.reset(token)


class TFAlbertPreTrainedModel(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Base of the seven models; methods and arguments are those of transformers 4.37.2.

    Args:
        config: Shape of the model; shared by all its parts.
        dtype: Dtype of weights and results, or a Keras dtype policy; default Keras's own.
        name: Name of the Keras model.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"
    name_or_path = ""
    #: Arguments of ``call`` that are labels.
    label_names: tuple[str, ...] = ()

    def __init__(self, config: AlbertConfig, *, dtype: Dtype | None = None, name: str | None = None) -> None:
        super().__init__(dtype=dtype, name=name)
        self.config = config
        self.built = True  # all variables are made in the constructor

    def post_init(self) -> None:
        """End a constructor: fill every weight, unless a checkpoint will."""
        if not _unfilled.get():
            for name, variable in self.named_weights():
                if self.base_model is self or not name.startswith(f"{self.base_model_prefix}."):
                    variable.assign(self.initial(name, tuple(variable.shape)))

    def initial(self, name: str, shape: tuple[int, ...]) -> tf.Tensor:
        """Return a fresh value of the weight of that name, as the reference draws it, from Keras's global seed."""
        row = row_of(canonical_name(name))
        assert row is not None, name
        if row.initial != "normal":
            return tf.fill(shape, 1.0 if row.initial == "ones" else 0.0)
        return keras.random.truncated_normal(shape, stddev=self.config.initializer_range, dtype="float32")

    @property
    def base_model(self) -> TFAlbertPreTrainedModel:
        """The :class:`TFAlbertModel` inside, or the model itself when it is one."""
        return cast("TFAlbertPreTrainedModel", getattr(self, self.base_model_prefix, self))

    def named_weights(self) -> Iterator[tuple[str, keras.Variable]]:
        """Yield (name, variable) for every weight, as ``named_parameters`` of the PyTorch models, each once.

        Linear weights lie as ``[in, out]``, the transpose of PyTorch's.
        """
        return named_weights(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model; arguments as of ``call``, in any of the reference's three forms."""
        names = tuple(inspect.signature(self.call).parameters)
        inputs = tf_inputs.unpack(names, args, kwargs)
        # before Keras, which rewrites the errors that pass through it
        tf_inputs.check(self.config, inputs, choices="Choice" in type(self).__name__)
        return super().__call__(**inputs)

    def finish(self, output: Output, return_dict: bool | None) -> Output | tuple[Any, ...]:
        """Return ``output`` itself or its values as a tuple, as ``return_dict``, else the configuration, says."""
        wanted = self.config.use_return_dict if return_dict is None else return_dict
        return output if wanted else output.to_tuple()
