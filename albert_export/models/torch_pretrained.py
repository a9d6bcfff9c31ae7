"""What all PyTorch models share: fresh weights, ties, saving and loading, surgery."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
from typing import Any, TypeVar

import torch
from torch import nn

from albert_export.config import AlbertConfig
from albert_export.models.torch_outputs import ModelOutput

Output = TypeVar("Output", bound=ModelOutput)


class AlbertPreTrainedModel(nn.Module):
    """Base of the seven models.

    Attributes:
        config: The model's configuration, shared by all its parts.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.config = config

    def post_init(self) -> None:
        """End a constructor: fresh weights for every part that has none yet, heads pruned, weights tied."""
        for name, child in self.named_children():
            if name != self.base_model_prefix:  # that one ended its own constructor
                child.apply(self._init_weights)
        self.tie_weights()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx].zero_()

    def tie_weights(self) -> None:
        """Make the masked-LM decoder share the word embeddings, where the configuration ties them."""
        predictions: Any = getattr(self, "predictions", None)
        if predictions is not None:
            if self.config.tie_word_embeddings:
                predictions.decoder.weight = self.get_submodule("albert.embeddings.word_embeddings").weight
            predictions.bias = predictions.decoder.bias

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the floating-point parameters."""
        return next(parameter.dtype for parameter in self.parameters() if parameter.is_floating_point())

    def finish(self, output: Output, return_dict: bool | None) -> Output | tuple[Any, ...]:
        """Return ``output`` itself or its values as a tuple, as ``return_dict``, else the configuration, says."""
        wanted = self.config.use_return_dict if return_dict is None else return_dict
        return output if wanted else output.to_tuple()

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.parameters()).device
