"""Which artifacts a self-test makes: one for each of a bundle's, or one in float32 for each target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from albert_export.parity.packed_padding import is_packed
from albert_export.positions import chooses_positions
from albert_export.targets import TARGETS, Target, get_target
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle

#: Sizes of artifacts whose runtime compiles every new shape, where they are not fixed anyway: parity's cases have a
#: dozen shapes, and each control another program for each.
_FIXED = {"batch": 2, "sequence": 12, "choices": 2}


@dataclass(frozen=True)
class Form:
    """One artifact to make.

    Attributes:
        target: Name of the target.
        told: What it is called where it cannot be made.
        options: Options of the export.
    """

    target: str
    told: str
    options: dict[str, Any] = field(default_factory=dict)


def forms_of_bundle(bundle: Bundle, targets: Sequence[str] | None) -> list[Form]:
    """Return the forms of a bundle's artifacts, of these targets only where some are given."""
    forms: list[Form] = []
    for artifact in bundle.manifest.artifacts:
        if targets is None or artifact.target in targets:
            task = bundle.task_of(artifact)
            form = Form(artifact.target, artifact.file, _options(get_target(artifact.target), artifact, task))
            if not any((form.target, form.options) == (other.target, other.options) for other in forms):
                forms.append(form)
    return forms


def forms_of_targets(task: Task, targets: Sequence[str] | None) -> list[Form]:
    """Return a form in float32 for each target that any machine can make, or for each of these."""
    return [
        Form(target.name, f"{target.title}, fp32", {"precision": "fp32", **_sizes(target, task, {})})
        for target in TARGETS
        if (target.name in targets if targets is not None else not target.built_on_device)
    ]


def _options(target: Target, artifact: Artifact, task: Task) -> dict[str, Any]:
    facts = artifact.facts
    options: dict[str, Any] = {"precision": artifact.precision, "layers": artifact.layers}
    options |= _sizes(target, task, artifact.shapes)
    if target.opsets is not None:
        options["opset"] = artifact.opset
    if artifact.precision in target.by_part and "quantized" in facts:
        options["quantize"] = list(facts["quantized"])
    if facts.get("calibration_texts"):
        options["calibrate"] = "builtin"  # the texts themselves are not kept
    if facts.get("compat"):
        options["compat"] = facts["compat"]
    if is_packed(artifact):
        options["tokens"] = "packed"
    if target.embeds:
        options["embed_weights"] = facts.get("weights") is None
    if chooses_positions(task):
        options["positions"] = True
    return options


def _sizes(target: Target, task: Task, fixed: Any) -> dict[str, int]:
    sizes = {axis: size for axis, size in fixed.items() if size is not None}
    if not target.own_runtime.compiles_shapes:
        return sizes
    return {axis: sizes.get(axis, _FIXED[axis]) for axis in task.dynamic_axes}
