"""The heads' training losses, in the shapes in which transformers 4.37.2's TensorFlow models return them."""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
import tensorflow as tf

#: Label of a token that counts in no loss.
IGNORED = -100


def _cross_entropies(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)


def mean_loss(logits: tf.Tensor, labels: tf.Tensor, *, ignore_negative: bool = False) -> tf.Tensor:
    """Return the mean cross-entropy ``[1]`` over all rows whose label counts; NaN when none does.

    Args:
        logits: ``[…, C]``, floating.
        labels: Class indices, ``[…]``; :data:`IGNORED` counts not.
        ignore_negative: Whether no negative label counts.
    """
    labels = tf.reshape(labels, tf.shape(logits)[:-1])
    counts = tf.cast(labels >= 0 if ignore_negative else labels != IGNORED, logits.dtype)
    losses = _cross_entropies(logits, tf.maximum(labels, 0)) * counts
    return tf.reshape(tf.reduce_sum(losses) / tf.reduce_sum(counts), [1])


def example_losses(logits_BC: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the cross-entropy of every example, ``[B]``.

    Args:
        logits_BC: ``[B,C]``, floating.
        labels: Class indices, ``[B]`` or ``[B,1]``, each in ``[0, C)``.
    """
    return _cross_entropies(logits_BC, tf.reshape(labels, [-1]))


def classification_losses(logits_BC: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Return the loss of every example, ``[B]``: of one label the squared error, of several the cross-entropy.

    The reference's TensorFlow models know no other; its PyTorch models know several labels at once.

    Args:
        logits_BC: ``[B,C]``, floating.
        labels: ``[B]`` or ``[B,1]``: numbers for one label, class indices for several.
    """
    if logits_BC.shape[-1] != 1:
        return example_losses(logits_BC, labels)
    errors_B1 = logits_BC - tf.reshape(tf.cast(labels, logits_BC.dtype), [-1, 1])
    return tf.reduce_mean(tf.square(errors_B1), axis=-1)


def span_losses(
    start_logits_BS: tf.Tensor, end_logits_BS: tf.Tensor, start_B: tf.Tensor, end_B: tf.Tensor
) -> tf.Tensor:
    """Return for every example the mean of the cross-entropies of an answer's first and last position, ``[B]``.

    Args:
        start_logits_BS: Scores of the first position, ``[B,S]``.
        end_logits_BS: Scores of the last position, ``[B,S]``.
        start_B: First positions, ``[B]`` or ``[B,1]``, each in ``[0, S)``.
        end_B: Last positions, likewise.
    """
    return (example_losses(start_logits_BS, start_B) + example_losses(end_logits_BS, end_B)) / 2
