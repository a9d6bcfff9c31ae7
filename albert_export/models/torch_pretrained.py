"""What the PyTorch models share: fresh weights, ties, loading and saving, resizing and pruning."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn

from albert_export.checkpoints import tied_names, write_sharded
from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.models.filling import is_head
from albert_export.models.finding import (
    check_is_config,
    config_to_save,
    find,
    new_vocabulary_size,
    refuse_formats,
    write_config,
)
from albert_export.models.torch_loading import choose_dtype, fill, load_eager
from albert_export.models.torch_outputs import ModelOutput
from albert_export.models.torch_surgery import initialise, resize_decoder, resize_embedding

__all__ = ["AlbertPreTrainedModel", "load_eager"]

Output = TypeVar("Output", bound=ModelOutput)


class AlbertPreTrainedModel(nn.Module):
    """Base of the seven models; methods and arguments are those of transformers 4.37.2.

    Attributes:
        config: The model's configuration, shared by all its parts.
        name_or_path: What :meth:`from_pretrained` was given; empty for other models.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"
    name_or_path = ""

    def __init__(self, config: AlbertConfig) -> None:
        check_is_config(type(self), config)
        super().__init__()
        self.config = config

    def post_init(self) -> None:
        """End a constructor: prune what the configuration says, fill every parameter, tie those that are shared."""
        if self.base_model is self:
            for place, heads in self.config.pruned_heads.items():
                self._attention(place).prune_heads(set(heads))
        for name, child in self.named_children():
            if name != self.base_model_prefix:  # that one has ended its own constructor
                child.apply(self._init_weights)
        self.tie_weights()

    def _init_weights(self, module: nn.Module) -> None:
        for name, _ in module.named_parameters(recurse=False):
            initialise(module, name, std=self.config.initializer_range)

    @property
    def base_model(self) -> nn.Module:
        """The :class:`AlbertModel` inside, or the model itself when it is one."""
        base: nn.Module = getattr(self, self.base_model_prefix, self)
        return base

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the floating-point parameters."""
        return next(parameter.dtype for parameter in self.parameters() if parameter.is_floating_point())

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.parameters()).device

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Return how many numbers the parameters hold, shared ones counted once.

        Args:
            only_trainable: Count only those that gradients reach.
            exclude_embeddings: Leave out the embedding tables.
        """
        tables = {id(module.weight) for module in self.modules() if isinstance(module, nn.Embedding)}
        return sum(
            parameter.numel()
            for parameter in self.parameters()
            if (parameter.requires_grad or not only_trainable) and not (exclude_embeddings and id(parameter) in tables)
        )

    def finish(self, output: Output, return_dict: bool | None) -> Output | tuple[Any, ...]:
        """Return ``output`` itself or its values as a tuple, as ``return_dict``, else the configuration, says."""
        wanted = self.config.use_return_dict if return_dict is None else return_dict
        return output if wanted else output.to_tuple()

    # --- ties and vocabulary

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the word embeddings, ``[V,E]``."""
        table = self.base_model.get_submodule("embeddings.word_embeddings")
        assert isinstance(table, nn.Embedding)
        return table

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word embeddings; call :meth:`tie_weights` to tie a decoder to them."""
        self.base_model.get_submodule("embeddings").word_embeddings = value

    def get_output_embeddings(self) -> nn.Linear | None:
        """Return the decoder of the masked-word head, ``[V,E]`` with bias ``[V]``; None for models without one."""
        head: Any = getattr(self, "predictions", None)
        return None if head is None else head.decoder

    def set_output_embeddings(self, value: nn.Linear) -> None:
        """Replace the decoder of the masked-word head.

        Raises:
            InputError: The model has none.
        """
        head: Any = getattr(self, "predictions", None)
        if head is None:
            raise InputError("only a model with a masked-word head has output embeddings", received=type(self).__name__)
        head.decoder = value
        head.bias = value.bias

    def tie_weights(self) -> None:
        """Make the decoder share the word embeddings where the configuration ties them, and the head its bias."""
        decoder = self.get_output_embeddings()
        if decoder is None:
            return
        if self.config.tie_word_embeddings:
            decoder.weight = self.get_input_embeddings().weight
            decoder.out_features = decoder.weight.shape[0]
        self.set_output_embeddings(decoder)

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None
    ) -> nn.Embedding:
        """Grow or shrink the vocabulary, the decoder and its bias with it, and return the word embeddings.

        Rows that stay keep their weights; new ones are fresh (their bias 0). ``config.vocab_size`` follows.

        Args:
            new_num_tokens: Size wanted; by default the present one.
            pad_to_multiple_of: Round the size up to a multiple of this, as tensor cores like it.

        Raises:
            InputError: A size below 1, or one that leaves out the padding token.
        """
        table = self.get_input_embeddings()
        rows = new_vocabulary_size(self.config, table.num_embeddings, new_num_tokens, pad_to_multiple_of)
        if rows != table.num_embeddings:
            std = self.config.initializer_range
            self.set_input_embeddings(resize_embedding(table, rows, std=std))
            decoder = self.get_output_embeddings()
            if decoder is not None:
                self.set_output_embeddings(resize_decoder(decoder, rows, std=std))
            self.config.vocab_size = rows
            self.tie_weights()
        return self.get_input_embeddings()

    # --- heads

    def _attention(self, place: int) -> Any:
        inner = self.config.inner_group_num
        if not 0 <= place < inner * self.config.num_hidden_groups:
            raise InputError(
                "a layer to prune is counted through the groups' inner layers, from 0 to "
                f"{inner * self.config.num_hidden_groups - 1}",
                received=place,
            )
        group, layer = divmod(place, inner)
        path = f"encoder.albert_layer_groups.{group}.albert_layers.{layer}.attention"
        return self.base_model.get_submodule(path)

    def prune_heads(self, heads_to_prune: Mapping[int, Iterable[int]]) -> None:
        """Take attention heads out for good; ``config.pruned_heads`` records them, so that saving keeps the pruning.

        Args:
            heads_to_prune: Layer -> heads. Layers are those that have weights of their own: group 0's inner layers,
                then group 1's, and so on. Heads keep the numbers they had before any pruning.

        Raises:
            InputError: No such layer or head, or no head would be left; the model is then unchanged.
        """
        A = self.config.num_attention_heads
        gone = {place: set(heads) for place, heads in self.config.pruned_heads.items()}
        for place, heads in heads_to_prune.items():
            self._attention(place)
            if not set(heads) <= set(range(A)):
                raise InputError(f"a head to prune must be in 0 … {A - 1}", received=sorted(heads))
            gone[place] = gone.get(place, set()) | set(heads)
            if len(gone[place]) == A:
                raise InputError(f"a layer must keep at least one of its {A} heads", received=f"{place}: all of them")
        for place, heads in heads_to_prune.items():
            self._attention(place).prune_heads(set(heads))
        self.config.pruned_heads = {place: sorted(heads) for place, heads in gone.items()}

    # --- files

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        is_main_process: bool = True,
        state_dict: Mapping[str, Tensor] | None = None,
        *,
        max_shard_size: int | str = "5GB",
        safe_serialization: bool = True,
    ) -> None:
        """Write weights and ``config.json``, readable by :meth:`from_pretrained` and by transformers.

        Args:
            save_directory: Made if absent. Weights of the other serialisation that lie there are left alone, and
                safetensors are read before ``.bin``.
            is_main_process: False in the further processes of a distributed run, which then write nothing.
            state_dict: Weights to write in place of the model's own.
            max_shard_size: Largest file, in bytes or as ``"5GB"``; an index is written when there are several.
            safe_serialization: Write safetensors, without the decoder's copies of tied parameters; else
                ``pytorch_model.bin``, with them.

        Raises:
            CheckpointError: The directory cannot be written.
            ConfigError: ``hidden_act`` is a callable, which a file cannot hold.
        """
        if not is_main_process:
            return
        config = config_to_save(self, str(self.dtype).removeprefix("torch."))
        tensors = dict(self.state_dict() if state_dict is None else state_dict)
        if safe_serialization:
            for second, first in tied_names(config).items():
                if second in tensors and first in tensors and _same_memory(tensors[second], tensors[first]):
                    del tensors[second]
        write_sharded(save_directory, tensors, max_shard_size=max_shard_size, safe_serialization=safe_serialization)
        write_config(config, save_directory)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *model_args: Any,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        state_dict: Mapping[str, Tensor] | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        ignore_mismatched_sizes: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str | None = None,
        torch_dtype: str | torch.dtype | None = None,
        output_loading_info: bool = False,
        from_tf: bool = False,
        from_flax: bool = False,
        from_pt: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Return a model with a checkpoint's weights, in eval mode.

        A head, or pooler, that the checkpoint lacks is filled freshly, with a warning that names its parameters.

        Args:
            pretrained_model_name_or_path: A directory, the name of a built-in model, or a hub id. None when both
                ``config`` and ``state_dict`` are given.
            model_args: Further positional arguments of the constructor.
            config: Configuration to use in place of the checkpoint's, or where to read it.
            state_dict: Weights to use in place of the checkpoint's.
            cache_dir: Where downloads are kept.
            ignore_mismatched_sizes: Fill weights of another shape freshly, with a warning, in place of an error.
            local_files_only: Never use the network.
            token: Token for private repositories.
            revision: Branch, tag or commit of a hub repository.
            torch_dtype: Dtype of the model or its name; ``"auto"`` for the one it was saved in; by default torch's
                default dtype.
            output_loading_info: Return ``(model, info)``; ``info`` lists ``missing_keys``, ``unexpected_keys`` (weights
                of other heads), ``mismatched_keys`` and ``error_msgs`` (always empty: errors raise).
            from_tf: Read ``tf_model.h5``, or else a TensorFlow 1 checkpoint, whatever else is there. Without it, these
                are read when there are no other weights.
            from_flax: Read ``flax_model.msgpack``, likewise.
            from_pt: Accepted when false: only the TensorFlow and Flax classes of the reference know it.
            kwargs: Fields of the configuration to change (``num_labels``, ``id2label``, ``problem_type``, …); anything
                else, and everything when ``config`` is an object, goes to the constructor (``add_pooling_layer``).
                ``low_cpu_mem_usage`` is accepted and changes nothing.

        Raises:
            CheckpointError: The checkpoint cannot be found or read, or is in a format not read here.
            WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
            ConfigError: A field breaks its rule.
        """
        refuse_formats(
            cls,
            {"from_pt": from_pt},
            "model.safetensors, pytorch_model.bin, tf_model.h5 and flax_model.msgpack",
        )
        kwargs.pop("low_cpu_mem_usage", None)  # loading never holds the weights twice
        found, checkpoint = find(
            cls,
            pretrained_model_name_or_path,
            config,
            {"revision": revision, "cache_dir": cache_dir, "local_files_only": local_files_only, "token": token},
            has_weights=state_dict is not None,
            formats=("h5", "tf1") if from_tf else ("msgpack",) if from_flax else None,
        )
        weights = state_dict if checkpoint is None else checkpoint.torch_tensors()
        assert weights is not None
        if not isinstance(config, AlbertConfig):
            found.update({name: kwargs.pop(name) for name in list(kwargs) if hasattr(found, name)})
        dtype = choose_dtype(torch_dtype, found, weights)
        if torch_dtype is not None:
            found.torch_dtype = str(dtype).removeprefix("torch.")
        with torch.device("meta"):
            model = cls(found, *model_args, **kwargs)
        loaded = fill(
            model,
            weights,
            dtype=dtype,
            may_be_fresh=is_head,
            ignore_mismatched_sizes=ignore_mismatched_sizes,
            copy=True,  # the model may be trained, and saved over the file it came from
        )
        model.name_or_path = str(pretrained_model_name_or_path or "")
        if loaded.fresh:
            warnings.warn(loaded.warning(cls.__name__, model.name_or_path or "the state dict"), stacklevel=2)
        model.eval()
        if output_loading_info:
            return model, loaded.info()  # type: ignore[return-value]  # only when asked for, as in the reference
        return model


def _same_memory(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() and one.shape == other.shape and one.device == other.device
