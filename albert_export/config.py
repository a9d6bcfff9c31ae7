"""AlbertConfig: every field of the reference configuration, validated, and JSON both ways."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from albert_export._config_rules import ACTIVATIONS as ACTIVATIONS
from albert_export._config_rules import POSITION_EMBEDDING_TYPES as POSITION_EMBEDDING_TYPES
from albert_export._config_rules import PROBLEM_TYPES as PROBLEM_TYPES
from albert_export._config_rules import check_fields
from albert_export.errors import ConfigError


class AlbertConfig:
    """The shape of an ALBERT model and the settings of its heads.

    Names, meanings and defaults are those of transformers 4.37.2; the defaults describe albert-xxlarge-v2.

    Args:
        vocab_size: Number of word embeddings (V).
        embedding_size: Width of the factorised embeddings (E), ALBERT paper, section 3.1.
        hidden_size: Width of the encoder (H); a multiple of ``num_attention_heads``.
        num_hidden_layers: How many layers are applied (L).
        num_hidden_groups: How many sets of weights they share (G); layer ``i`` uses set ``int(i / (L / G))``.
        num_attention_heads: Attention heads (A).
        intermediate_size: Width of the feed-forward network.
        inner_group_num: Layers with weights of their own inside a group.
        hidden_act: One of :data:`ACTIVATIONS`, or a callable (which cannot be saved).
        hidden_dropout_prob: Dropout of embeddings and attention output, 0 to 1.
        attention_probs_dropout_prob: Dropout of attention probabilities, 0 to 1.
        max_position_embeddings: Longest sequence.
        type_vocab_size: Number of segments.
        initializer_range: Standard deviation of fresh weights.
        layer_norm_eps: Added to the variance in layer normalisation.
        classifier_dropout_prob: Dropout before a classifier, 0 to 1; None for ``hidden_dropout_prob``.
        position_embedding_type: One of :data:`POSITION_EMBEDDING_TYPES`.
        pad_token_id: Id of ``<pad>``; its word embedding starts as zeros.
        bos_token_id: Id of ``[CLS]``.
        eos_token_id: Id of ``[SEP]``.
        num_labels: Number of labels; names them ``LABEL_0`` … where ``id2label`` does not.
        id2label: Name of each label; keys may be numbers or their strings, as in JSON.
        label2id: The other way; derived from ``id2label`` when absent.
        problem_type: One of :data:`PROBLEM_TYPES`, or None to infer it from the labels.
        output_attentions: Default of the models' argument of that name.
        output_hidden_states: Default of the models' argument of that name.
        return_dict: Default of the models' argument of that name.
        tie_word_embeddings: Whether the masked-LM decoder is the word embedding.
        torch_dtype: Name of the dtype the weights are stored in.
        architectures: Class names the checkpoint was saved from.
        pruned_heads: Attention heads taken out, by flattened (group, inner layer) index.
        **extra: Any other key, kept in :attr:`extra` and written back on saving.

    Raises:
        ConfigError: A field breaks its rule; the message names field, rule and value.
    """

    model_type = "albert"

    def __init__(
        self,
        /,  # a file may hold a key of that name
        vocab_size: int = 30000,
        embedding_size: int = 128,
        hidden_size: int = 4096,
        num_hidden_layers: int = 12,
        num_hidden_groups: int = 1,
        num_attention_heads: int = 64,
        intermediate_size: int = 16384,
        inner_group_num: int = 1,
        hidden_act: str | Callable[[Any], Any] = "gelu_new",
        hidden_dropout_prob: float = 0,
        attention_probs_dropout_prob: float = 0,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        initializer_range: float = 0.02,
        layer_norm_eps: float = 1e-12,
        classifier_dropout_prob: float | None = 0.1,
        position_embedding_type: str = "absolute",
        pad_token_id: int | None = 0,
        bos_token_id: int | None = 2,
        eos_token_id: int | None = 3,
        *,
        num_labels: int | None = None,
        id2label: Mapping[Any, str] | None = None,
        label2id: Mapping[str, int] | None = None,
        problem_type: str | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        tie_word_embeddings: bool = True,
        torch_dtype: Any = None,
        architectures: list[str] | None = None,
        pruned_heads: Mapping[Any, Any] | None = None,
        **extra: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_hidden_groups = num_hidden_groups
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.inner_group_num = inner_group_num
        self.hidden_act = hidden_act
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.classifier_dropout_prob = classifier_dropout_prob
        self.position_embedding_type = position_embedding_type
        self.pad_token_id = pad_token_id
        self.bos_token_id = bos_token_id
        self.eos_token_id = eos_token_id
        self.problem_type = problem_type
        self.output_attentions = output_attentions
        self.output_hidden_states = output_hidden_states
        self.return_dict = return_dict
        self.tie_word_embeddings = tie_word_embeddings
        # A torch.dtype prints as "torch.float32"; the file holds the bare name.
        self.torch_dtype: str | None = None if torch_dtype is None else str(torch_dtype).removeprefix("torch.")
        self.architectures = architectures
        self.pruned_heads: dict[int, list[int]] = _pruned_heads(pruned_heads)
        self.id2label: dict[int, str]
        self.label2id: dict[str, int]
        self._set_labels(num_labels, id2label, label2id)
        if extra.get("model_type", self.model_type) != self.model_type:
            raise ConfigError(
                "model_type must be 'albert'", received=extra["model_type"], fix="give an ALBERT checkpoint"
            )
        self.extra: dict[str, Any] = {key: value for key, value in extra.items() if key != "model_type"}
        self.validate()

    def _set_labels(
        self, num_labels: int | None, id2label: Mapping[Any, str] | None, label2id: Mapping[str, int] | None
    ) -> None:
        if id2label is None:
            count = 2 if num_labels is None else num_labels
            if type(count) is not int or count < 1:
                raise ConfigError("num_labels must be a whole number of at least 1", received=count)
            self.id2label = {index: f"LABEL_{index}" for index in range(count)}
        else:
            # Where both are given the names win, as in the reference: the file's `num_labels` is often stale.
            try:
                self.id2label = {int(key): str(name) for key, name in id2label.items()}
            except (AttributeError, TypeError, ValueError):
                raise ConfigError("id2label must map numbers to names", received=id2label) from None
            if sorted(self.id2label) != list(range(len(self.id2label))) or not self.id2label:
                raise ConfigError("id2label must name every label from 0 on", received=sorted(self.id2label))
        derived = {name: index for index, name in self.id2label.items()}
        if label2id is None or id2label is None:
            self.label2id = derived
            return
        try:
            self.label2id = {str(name): int(index) for name, index in label2id.items()}
        except (AttributeError, TypeError, ValueError):
            raise ConfigError("label2id must map names to numbers", received=label2id) from None

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigError: A field breaks its rule; the message names field, rule and value.
        """
        check_fields(self)

    @property
    def num_labels(self) -> int:
        """Number of labels; setting it renames them ``LABEL_0`` … when the number changes."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        if count != len(self.id2label):
            self._set_labels(count, None, None)

    @property
    def head_dropout_prob(self) -> float:
        """Dropout before a classifier: ``classifier_dropout_prob``, or else ``hidden_dropout_prob``."""
        chosen = self.classifier_dropout_prob
        return self.hidden_dropout_prob if chosen is None else chosen

    @property
    def use_return_dict(self) -> bool:
        """The name under which the models of the reference read ``return_dict``."""
        return self.return_dict

    def __getattr__(self, name: str) -> Any:
        # Keys of other tools stay readable as attributes, as in the reference.
        extra = self.__dict__.get("extra", {})
        if name in extra:
            return extra[name]
        raise AttributeError(f"AlbertConfig has no field {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AlbertConfig) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # mutable, as the reference's is

    def __repr__(self) -> str:
        return f"AlbertConfig {self.to_json_string()}"

    def copy(self) -> AlbertConfig:
        """Return an independent copy."""
        return copy.deepcopy(self)

    def update(self, values: Mapping[str, Any]) -> None:
        """Set fields by name and check the result; unknown names go to :attr:`extra`.

        Raises:
            ConfigError: A field breaks its rule; the configuration stays as it was.
        """
        changed = self.to_dict()
        if "num_labels" in values and "id2label" not in values and values["num_labels"] != self.num_labels:
            del changed["id2label"], changed["label2id"]
        elif "id2label" in values and "label2id" not in values:
            del changed["label2id"]
        made = type(self)(**{**changed, **values})
        if values.get("num_labels") is not None and made.num_labels != values["num_labels"]:
            raise ConfigError(
                "num_labels must be the number of names in id2label",
                received=f"num_labels={values['num_labels']}, id2label={made.id2label}",
            )
        self.__dict__.update(made.__dict__)

    def to_dict(self) -> dict[str, Any]:
        """Return every field, the extra keys among them, as plain values; ``from_dict`` reads it back."""
        fields = {key: value for key, value in self.__dict__.items() if key != "extra"}
        return copy.deepcopy({**self.extra, **fields, "model_type": self.model_type})

    def to_json_string(self) -> str:
        """Return the contents of ``config.json``: sorted keys, two spaces, a newline at the end."""
        fields = self.to_dict()
        if callable(fields["hidden_act"]):
            fields["hidden_act"] = getattr(self.hidden_act, "__name__", "callable")
        # JSON has only text keys: sorting numbers as text would put label 10 before label 2.
        for key in ("id2label", "pruned_heads"):
            fields[key] = {str(index): fields[key][index] for index in sorted(fields[key])}
        fields["label2id"] = dict(sorted(fields["label2id"].items(), key=lambda item: item[1]))
        ordered = {key: fields[key] for key in sorted(fields)}
        return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"

    def save_pretrained(self, directory: str | Path) -> None:
        """Write ``config.json`` into ``directory``, which is made if it is absent; an old one is replaced in one step.

        Raises:
            ConfigError: ``hidden_act`` is a callable, which a file cannot hold.
            OSError: The file cannot be written; an old one stays as it was.
        """
        if callable(self.hidden_act):
            raise ConfigError("hidden_act must be a name to be saved", received=self.hidden_act)
        path = Path(directory, "config.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            # Bytes: in text mode the line ends would be those of the machine.
            unfinished.write_bytes(self.to_json_string().encode("utf-8"))
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any], **changes: Any) -> Self:
        """Make a configuration from ``fields``; ``changes`` win over them.

        Raises:
            ConfigError: ``fields`` is no mapping, or a field breaks its rule.
        """
        if not isinstance(fields, Mapping):
            raise ConfigError("a configuration must be a JSON object", received=type(fields).__name__)
        # Written by newer tools in place of `torch_dtype`.
        renamed = {("torch_dtype" if key == "dtype" else key): value for key, value in fields.items()}
        config = cls(**renamed)
        if changes:
            config.update(changes)
        return config

    @classmethod
    def from_json_file(cls, path: str | Path) -> Self:
        """Read a ``config.json``.

        Raises:
            ConfigError: The file cannot be read, is no JSON object, or a field breaks its rule.
        """
        return cls.from_dict(read_json(path))

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **changes: Any,
    ) -> Self:
        """Read the configuration of a checkpoint directory, a built-in model or a hub repository.

        Raises:
            CheckpointError: The checkpoint cannot be found.
            ConfigError: A field breaks its rule.
        """
        # the hub client is not wanted for local use
        from albert_export.checkpoints import find_config_file, google_release

        path = find_config_file(
            name_or_path, revision=revision, cache_dir=cache_dir, local_files_only=local_files_only, token=token
        )
        by_google = path.name == google_release.CONFIG_NAME
        config = cls.from_dict(google_release.read_config_fields(path)) if by_google else cls.from_json_file(path)
        if changes:
            config.update(changes)
        return config


def read_json(path: str | Path) -> Any:
    """Return what a configuration file holds.

    Raises:
        ConfigError: The file cannot be read, or is no JSON.
    """
    try:
        fields = json.loads(Path(path).read_text(encoding="utf-8"))
        json.dumps(fields, ensure_ascii=False).encode("utf-8")  # "\ud800" is JSON, but no text that can be written
    except OSError as error:
        raise ConfigError("the configuration file must be readable", received=str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            "the configuration file must be JSON", received=f"{Path(path).name}: {error}", fix="save it again"
        ) from error
    return fields


def _pruned_heads(pruned_heads: Mapping[Any, Any] | None) -> dict[int, list[int]]:
    try:
        return {int(layer): sorted({int(head) for head in heads}) for layer, heads in (pruned_heads or {}).items()}
    except (AttributeError, TypeError, ValueError):
        raise ConfigError("pruned_heads must map layer numbers to lists of heads", received=pruned_heads) from None
