"""``compile`` and ``fit`` on labels that come with the batch, by the loss that the model computes itself."""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import keras
import tensorflow as tf

from albert_export.errors import InputError

_OWN_LOSS = (None, "auto", "auto_with_warning")
#: Fields of an output that no label belongs to.
_NOT_SCORED = ("loss", "hidden_states", "attentions")


class TrainedOnLabels:
    """Mixed into the models before ``keras.Model``; what ``fit`` does with labels is what the reference does.

    With the model's own loss (``compile`` without one) labels may be among the inputs, named as ``call`` names them, or
    apart from them. With a loss of Keras they may lie there too; it is given the scores that a label belongs to.
    """

    #: Label that ``call`` takes -> field of the output that is scored against it.
    label_outputs: ClassVar[Mapping[str, str]] = {}
    #: Label that counts in no loss: one number, every negative one, or None where all must be classes.
    ignored_label: ClassVar[Literal["negative"] | int | None] = None
    _trains_on_own_loss = False

    def compile(self, optimizer: Any = "rmsprop", loss: Any = "auto", metrics: Any = None, **kwargs: Any) -> None:
        """Choose how to train; as ``keras.Model.compile``.

        Args:
            optimizer: Keras optimizer or its name.
            loss: Keras loss, or its name; ``"auto"`` or None for the model's own.
            metrics: Keras metrics.
            kwargs: What else ``keras.Model.compile`` takes.
        """
        self._trains_on_own_loss = loss is None or (isinstance(loss, str) and loss in _OWN_LOSS)
        super().compile(  # type: ignore[misc]  # keras.Model's
            optimizer=optimizer, loss=None if self._trains_on_own_loss else loss, metrics=metrics, **kwargs
        )

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as a model that was saved as ``.keras`` had been."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)  # type: ignore[attr-defined]  # keras.Model's

    def train_step(self, data: Any) -> Any:
        """Take one step on a batch ``x``, ``(x, y)`` or ``(x, y, sample_weight)``."""
        return super().train_step(self._placed(data))  # type: ignore[misc]

    def test_step(self, data: Any) -> Any:
        """Evaluate one batch; argument as of :meth:`train_step`."""
        return super().test_step(self._placed(data))  # type: ignore[misc]

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the loss of a batch as a scalar; arguments as of ``keras.Model.compute_loss``.

        Raises:
            InputError: The model's own loss, without labels or with a weight for each example.
        """
        if not self._trains_on_own_loss:
            return super().compute_loss(x, y, self._scores(y_pred, y), sample_weight, training)  # type: ignore[misc]
        labels = [name for name in self.label_outputs if isinstance(x, Mapping) and x.get(name) is not None]
        if len(labels) < max(1, len(self.label_outputs)):
            raise InputError(
                f"training on the model's own loss needs {' and '.join(self.label_outputs) or 'a model with a head'}",
                received=f"{', '.join(labels) or 'no labels'}",
                fix="put the labels into the batch, or compile with a loss of Keras",
            )
        if sample_weight is not None:
            raise InputError(
                "the model's own loss weighs every example alike",
                received="sample_weight",
                fix="compile with a loss of Keras",
            )
        return tf.reduce_mean(y_pred["loss"] if isinstance(y_pred, Mapping) else y_pred[0])

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update the metrics and return them by name; arguments as of ``keras.Model.compute_metrics``."""
        scores = self._scores(y_pred, y)
        return super().compute_metrics(x, y, scores, sample_weight=sample_weight)  # type: ignore[misc]

    def _placed(self, data: Any) -> Any:
        """Return (x, y, sample_weight) with labels where the chosen loss looks for them, and y named by outputs."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        labels = self._named_labels(y)
        if y is None and isinstance(x, Mapping):
            labels = {name: x[name] for name in self.label_outputs if x.get(name) is not None}
        elif self._trains_on_own_loss and labels:
            x = {**self._named_inputs(x), **labels}
        if labels:
            y = {self.label_outputs[name]: value for name, value in labels.items()}
            if len(self.label_outputs) == 1:
                (y,) = y.values()
        return x, y, sample_weight

    def _named_labels(self, y: Any) -> dict[str, Any]:
        names = list(self.label_outputs)
        if isinstance(y, Mapping):
            return {name: y[name] for name in names if name in y}
        if isinstance(y, list | tuple) and len(y) == len(names):
            return dict(zip(names, y, strict=True))
        return {names[0]: y} if len(names) == 1 and y is not None else {}

    def _named_inputs(self, x: Any) -> dict[str, Any]:
        if isinstance(x, Mapping):
            return dict(x)
        names = self.argument_names()  # type: ignore[attr-defined]  # the models'
        return dict(zip(names, x if isinstance(x, list | tuple) else [x], strict=False))

    def _scores(self, y_pred: Any, y: Any) -> Any:
        """Return of an output what is compared with ``y``."""
        if not isinstance(y_pred, Mapping):
            return y_pred
        scored = {name: value for name, value in y_pred.items() if name not in _NOT_SCORED}
        if isinstance(y, Mapping):
            return {name: scored[name] for name in y}
        return next(iter(scored.values())) if len(scored) == 1 else scored
