"""Tracing an eager torch model into an ATen graph, with the shared layer as one loop.

The encoder's run over its layers is the only thing that is swapped for tracing: everything else is the eager model
itself. Rolled, the weights of a layer group are arguments of ``while_loop``'s body, so the traced graph holds the
layer once, however often it is applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.errors import AlbertExportError, ExportError
from albert_export.positions import POSITIONS
from albert_export.tasks import Task

if TYPE_CHECKING:
    import torch
    from torch import nn

    from albert_export.models.torch_encoder import Choice
else:
    torch = require("torch", needed_for="tracing a torch model", extra="onnx")
    nn = torch.nn

#: Bias of masked positions in an exported graph. exp(-10000) is 0 in every precision, so it masks as the eager
#: model's finfo.min does, yet it is finite in float16 (largest value 65504), where finfo.min of float32 is -inf.
MASK_BIAS_FLOOR = -10000.0

#: Sizes of the example input where an axis is dynamic. Above 1, because the tracer specialises 0 and 1; different, so
#: that a mistaken axis shows.
_EXAMPLE_SIZES = {"batch": 2, "choices": 3, "sequence": 16, "positions": 5}


@dataclass(frozen=True)
class Trace:
    """A traced model.

    Attributes:
        program: The ATen graph; its parameters are placeholders.
        weights: Tensor of each placeholder, by canonical name.
        task: The task whose inputs and outputs the graph has.
        sizes: Fixed size of each dynamic axis, or None where it stays symbolic.
        traced_sizes: Size of each axis in the example input.
    """

    program: torch.export.ExportedProgram
    weights: Mapping[str, torch.Tensor]
    task: Task
    sizes: Mapping[str, int | None]
    traced_sizes: Mapping[str, int]


class _Asked:
    """The positions that the traced model is called with, which the end of the stack reads; None for a task without."""

    positions: torch.Tensor | None = None

    def of(self, hidden_BSD: torch.Tensor) -> torch.Tensor:
        """Return the hidden states that the head reads, ``[B,P,D]``, or all of them."""
        if self.positions is None:
            return hidden_BSD
        return hidden_BSD.gather(1, self.positions.unsqueeze(-1).expand(-1, -1, hidden_BSD.shape[-1]))


class _TaskForward(nn.Module):
    """The model with the task table's inputs and outputs, as positional tensors."""

    def __init__(self, model: nn.Module, task: Task, asked: _Asked) -> None:
        super().__init__()
        self.model = model
        self._outputs = tuple(spec.name for spec in task.outputs)
        self._asked = asked

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        input_ids, attention_mask, token_type_ids, *positions = inputs
        self._asked.positions = positions[0] if positions else None
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            # Said outright: a configuration may ask for every layer's output, and then no loop could be made.
            output_attentions=False,
            output_hidden_states=False,
            return_dict=True,
        )
        return tuple(outputs[name] for name in self._outputs)


def trace(
    model: nn.Module, task: Task, *, layers: str, sizes: Mapping[str, int | None], all_tokens: bool = False
) -> Trace:
    """Trace ``model`` in eval mode.

    Args:
        model: An eager ALBERT with the task's head; unchanged afterwards.
        task: Names and axes of inputs and outputs.
        layers: ``rolled`` for one loop per layer group, ``unrolled`` for a copy of the layer's operators per layer.
        sizes: Fixed size of a dynamic axis, None to keep it symbolic.
        all_tokens: Whether the last layer is computed for all tokens even where the head reads the first alone.

    Raises:
        ConfigError: The model's configuration does not fit the task.
        ExportError: torch could not trace the model.
    """
    traced_sizes = {axis: sizes.get(axis) or _EXAMPLE_SIZES[axis] for axis in task.dynamic_axes}
    config: Any = model.config
    # Tracing reads no table of positions, so even a model with a single one can be traced on two tokens.
    longest = max(2, int(config.max_position_embeddings))
    if sizes.get("sequence") is None:
        traced_sizes["sequence"] = min(traced_sizes["sequence"], longest)
    dims = {
        axis: torch.export.Dim(axis, max=longest) if axis == "sequence" else torch.export.Dim(axis)
        for axis in task.dynamic_axes
        if sizes.get(axis) is None
    }
    dynamic = tuple(
        {index: dims[str(axis)] for index, axis in enumerate(spec.axes) if axis in dims} for spec in task.inputs
    )
    asked = _Asked()
    try:
        example = tuple(
            torch.ones([traced_sizes[str(axis)] for axis in spec.axes], dtype=torch.int64) for spec in task.inputs
        )
        computed = None if all_tokens else _computed_last(task, config)
        with torch.no_grad(), _prepared(model, layers, computed, asked):
            program = torch.export.export(
                _TaskForward(model, task, asked), example, dynamic_shapes=(dynamic,), strict=False
            )
    except AlbertExportError:
        raise  # what the model itself refuses is told in its own words
    except (RuntimeError, TypeError, ValueError) as error:
        raise ExportError(f"torch must be able to trace {task.torch_class}", received=str(error)[:500]) from error
    weights = {
        _canonical(placeholder.target): tensor
        for placeholder in program.graph_signature.input_specs
        if placeholder.target is not None
        for tensor in [_tensor_of(program, placeholder)]
    }
    return Trace(program, weights, task, {axis: sizes.get(axis) for axis in task.dynamic_axes}, traced_sizes)


def _canonical(target: str) -> str:
    return target.removeprefix("model.")


def _tensor_of(program: torch.export.ExportedProgram, placeholder: Any) -> torch.Tensor:
    for tensors in (program.state_dict, program.constants):
        if placeholder.target in tensors:
            tensor = tensors[placeholder.target]
            if isinstance(tensor, torch.Tensor):
                return tensor
    raise ExportError("every placeholder of a traced graph must be a tensor", received=str(placeholder.target))


def _computed_last(task: Task, config: Any) -> Choice | None:
    """Return which tokens the last layer is computed for: the first, where only the pooler reads it; None for all."""
    pooled = all({"sequence", POSITIONS}.isdisjoint(spec.axes) for spec in task.outputs)
    if not pooled or config.position_embedding_type != "absolute":
        return None
    return lambda hidden_BTD: hidden_BTD.select(1, 0).unsqueeze(1)


@contextmanager
def _prepared(model: nn.Module, layers: str, computed: Choice | None, asked: _Asked) -> Iterator[None]:
    albert: Any = getattr(model, "albert", model)
    encoder = albert.encoder
    training, floor = model.training, albert.mask_bias_floor
    model.eval()
    albert.mask_bias_floor = MASK_BIAS_FLOOR
    run = _run_rolled if layers == "rolled" else _run_unrolled
    encoder.run_layers = lambda hidden, bias: asked.of(run(encoder, hidden, bias, computed))
    try:
        yield
    finally:
        del encoder.run_layers
        albert.mask_bias_floor = floor
        model.train(training)


def _marked(hidden_BSD: torch.Tensor) -> torch.Tensor:
    # An alias computes nothing; the lowering names its value hidden_<layer>, which is how a parity miss is located.
    marked: torch.Tensor = torch.ops.aten.alias.default(hidden_BSD)
    return marked


def _run_unrolled(encoder: Any, hidden_BTD: torch.Tensor, bias: torch.Tensor, computed: Choice | None) -> torch.Tensor:
    hidden_BTD = _marked(hidden_BTD)
    last = encoder.config.num_hidden_layers - 1
    for layer in range(last):
        hidden_BTD = _marked(encoder.albert_layer_groups[encoder.group_of(layer)](hidden_BTD, bias))
    return _marked(encoder.albert_layer_groups[encoder.group_of(last)](hidden_BTD, bias, computed=computed))


def _run_rolled(encoder: Any, hidden_BTD: torch.Tensor, bias: torch.Tensor, computed: Choice | None) -> torch.Tensor:
    hidden_BTD = _marked(hidden_BTD)
    groups = [encoder.group_of(layer) for layer in range(encoder.config.num_hidden_layers)]
    for index, group in enumerate(encoder.albert_layer_groups):
        # In a loop all turns have one graph, so that the choice is marked, and the lowering makes it in the last turn.
        last = computed is not None and index == len(encoder.albert_layer_groups) - 1
        hidden_BTD = _marked(_loop(group, groups.count(index), hidden_BTD, bias, _marked if last else None))
    return hidden_BTD


def _loop(
    group: nn.Module, repeats: int, hidden_BTD: torch.Tensor, bias: torch.Tensor, computed: Choice | None
) -> torch.Tensor:
    from torch._higher_order_ops.while_loop import while_loop_op

    named = dict(group.named_parameters())

    def unfinished(step: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return step < repeats

    def one_layer(
        step: torch.Tensor, hidden_BTD: torch.Tensor, bias: torch.Tensor, *weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        replaced = dict(zip(named, weights, strict=True))
        return step + 1, torch.func.functional_call(group, replaced, (hidden_BTD, bias), {"computed": computed})

    # The operator itself: torch.while_loop would first compile both functions, which takes as long as all the rest.
    carried: Any = (torch.zeros((), dtype=torch.int64), hidden_BTD)
    _, hidden_BTD = while_loop_op(unfinished, one_layer, carried, (bias, *named.values()))
    return hidden_BTD
