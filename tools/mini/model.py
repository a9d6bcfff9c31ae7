"""albert-mini while it is trained: every head on one encoder.

Tensor names end in their dimensions: B rows, S tokens, D hidden width, V vocabulary, C labels, N choices.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from albert_export.config import AlbertConfig
from albert_export.models.torch_albert import AlbertModel
from albert_export.models.torch_encoder import AlbertAttention, AlbertLayer, AlbertMLMHead, AlbertSOPHead
from tools.mini.encoding import TEXT_LABELS, TOKEN_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping


def mini_config(vocab_size: int, **changes: int) -> AlbertConfig:
    """Return the configuration of the encoder; ``changes`` are for experiments and tests."""
    shape: dict[str, Any] = {
        "embedding_size": 96,
        "hidden_size": 192,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "intermediate_size": 768,
    }
    return AlbertConfig(
        vocab_size=vocab_size,
        num_hidden_groups=1,
        inner_group_num=1,
        max_position_embeddings=512,
        hidden_act="gelu_new",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.0,
        torch_dtype="float32",
        **(shape | changes),
    )


#: What each head begins with: how many positions on it looks (None: at equal words), the first of the six frequencies
#: that it compares, and how sharply it looks.
BEGINNINGS = ((None, 0, 0.77), (-1, 0, 2.0), (1, 0, 2.0), (0, 3, 1.4), (None, 0, 0.77))


class MiniModel(nn.Module):
    """One encoder and the heads of all tasks; the parts are those of the product's own classes.

    Attributes:
        heads: Task -> its linear layer; ``predictions`` and ``sop_classifier`` stand beside them.
    """

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        D = config.hidden_size
        self.config = config
        self.albert = AlbertModel(config)
        self.predictions = AlbertMLMHead(config)
        self.predictions.decoder.weight = self.albert.embeddings.word_embeddings.weight
        self.sop_classifier = AlbertSOPHead(config)
        self.heads = nn.ModuleDict(
            {
                "question-answering": nn.Linear(D, 2),
                "token-classification": nn.Linear(D, len(TOKEN_LABELS)),
                "text-classification": nn.Linear(D, len(TEXT_LABELS)),
                "multiple-choice": nn.Linear(D, 1),
            }
        )
        #: Reads the hints of :class:`tools.mini.batches.Batch` off early rounds; left behind after the training.
        self.hints = nn.ModuleList(nn.Linear(D, 1) for _ in range(3))
        self._fill()

    def _fill(self) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 2 and "embeddings" not in name:
                # Deviations of 0.02, as for wide models, leave a narrow one's attention uniform for long.
                nn.init.normal_(parameter, std=0.7 / math.sqrt(parameter.shape[1]))
        self._begin_reading()

    @torch.no_grad()
    def _begin_reading(self) -> None:
        """Begin with heads that see equal words and neighbours, which a small model otherwise takes long to find.

        Words and positions begin in dimensions of their own. Two heads ask for what they are asked for, so that equal
        words find each other (after Trockman and Kolter, arXiv:2305.09828); others ask for the position before and
        behind, and for those around, which are mostly of the same sentence.
        """
        config = self.config
        E, D, K = config.embedding_size, config.hidden_size, config.hidden_size // config.num_attention_heads
        P = E // 6 * 2  # dimensions of positions, the last ones
        W = E - P
        embeddings, encoder = self.albert.embeddings, self.albert.encoder
        nn.init.zeros_(embeddings.word_embeddings.weight)
        nn.init.normal_(embeddings.word_embeddings.weight[:, :W], std=0.1)
        embeddings.word_embeddings.weight[config.pad_token_id].zero_()
        nn.init.normal_(embeddings.token_type_embeddings.weight, std=0.05)
        frequencies = torch.logspace(math.log10(2.5), math.log10(0.004), P // 2)
        nn.init.zeros_(embeddings.position_embeddings.weight)
        embeddings.position_embeddings.weight[:, W:] = 0.1 * waves(config.max_position_embeddings, frequencies)
        basis_DE = nn.init.orthogonal_(torch.empty(D, E))
        encoder.embedding_hidden_mapping_in.weight.copy_(basis_DE * math.sqrt(D / E))
        attention = encoder.get_submodule("albert_layer_groups.0.albert_layers.0.attention")
        assert isinstance(attention, AlbertAttention)
        for head, (kind, first, gain) in enumerate(BEGINNINGS[: max(0, config.num_attention_heads - 1)]):
            rows = slice(head * K, head * K + K)
            if kind is None:
                look_KD = gain * torch.randn(K, W) / math.sqrt(W) @ basis_DE[:, :W].T
                attention.query.weight[rows], attention.key.weight[rows] = look_KD, look_KD
            else:
                used = max(0, min(6, P // 2 - first, K // 2))
                look_KD = torch.zeros(K, D)
                look_KD[: 2 * used] = gain * basis_DE[:, W + 2 * first : W + 2 * (first + used)].T
                attention.key.weight[rows] = look_KD
                attention.query.weight[rows] = turned(look_KD, frequencies[first : first + used] * kind)

    def states(self, ids_BS: Tensor, types_BS: Tensor, mask_BS: Tensor, positions_BS: Tensor) -> tuple[Tensor, ...]:
        """Return what each round of the shared layer gives, ``[B,S,D]`` each, the last one last."""
        embedded_BSE = self.albert.embeddings(ids_BS, types_BS, positions_BS)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else embedded_BSE.dtype
        bias = self.albert.attention_bias(mask_BS, dtype)
        encoded = self.albert.encoder(embedded_BSE, bias, output_hidden_states=True)
        states: tuple[Tensor, ...] = encoded.hidden_states[1:]
        return states

    def compile_layer(self) -> str | None:
        """Have the shared layer compiled for all shapes, since most of the time goes into it.

        Returns:
            Why it cannot be: there is no C++ compiler, or it compiles nothing here. Then all stays as it was.
        """
        layer = self.albert.encoder.get_submodule("albert_layer_groups.0.albert_layers.0")
        assert isinstance(layer, AlbertLayer)
        own, layer.activation = layer.activation, gelu_by_sigmoid
        # As in training, and of the size of a usual batch: code is laid out for the sizes that are met first.
        ids_BS = torch.zeros(32, 64, dtype=torch.long)
        positions_BS = torch.arange(64).expand(32, 64)
        try:
            layer.compile(dynamic=True)
            with torch.autocast("cpu", torch.bfloat16):
                states = self.states(ids_BS, torch.zeros_like(ids_BS), torch.ones_like(ids_BS), positions_BS)
            states[-1].sum().backward()
        except RuntimeError as error:  # of which all errors of torch's compiler are kinds
            layer.activation = own
            layer._compiled_call_impl = None  # as torch has it where nothing was compiled
            torch.compiler.reset()
            return next((line for line in f"{error}".splitlines() if line.strip()), type(error).__name__)
        finally:
            self.zero_grad(set_to_none=True)
        return None

    def pooled(self, hidden_BSD: Tensor) -> Tensor:
        """Return the pooler's vectors ``[B,D]``."""
        assert self.albert.pooler is not None
        pooled_BD: Tensor = torch.tanh(self.albert.pooler(hidden_BSD[:, 0]))
        return pooled_BD


def gelu_by_sigmoid(x: Tensor) -> Tensor:
    """Return ``gelu_new``, written by a sigmoid: compiled for a CPU, that is quicker than by the hyperbolic tangent."""
    return x * torch.sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x**3))


def waves(count: int, frequencies_P: Tensor) -> Tensor:
    """Return sine and cosine of every position at every frequency (radians a position), ``[count,2P]``."""
    angles = torch.arange(count).unsqueeze(1) * frequencies_P
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


def turned(look_KD: Tensor, angles_P: Tensor) -> Tensor:
    """Return rows that read waves as if they stood ``angles`` further on; each angle is for two rows."""
    turned_KD = look_KD.clone()
    for pair, angle in enumerate(angles_P.tolist()):
        sine, cosine = look_KD[2 * pair], look_KD[2 * pair + 1]
        turned_KD[2 * pair] = math.cos(angle) * sine + math.sin(angle) * cosine
        turned_KD[2 * pair + 1] = math.cos(angle) * cosine - math.sin(angle) * sine
    return turned_KD


def rounded_to_half(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights as fp16 storage keeps them, in fp32."""
    return {name: weight.half().float() for name, weight in weights.items()}
