"""Which artifacts are checked, and what is said of the others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from albert_export.errors import BundleError, UnknownNameError
from albert_export.parity.choosing import choose_artifacts, skipped_artifacts


def bundle(*targets: str) -> Any:
    """A bundle with one artifact for each target."""
    artifacts = tuple(SimpleNamespace(file=f"{target}/model", target=target) for target in targets)
    return SimpleNamespace(manifest=SimpleNamespace(artifacts=artifacts))


@pytest.mark.parametrize(
    ("targets", "skip", "runtime", "checked", "reasons"),
    [
        ("all", (), None, ["onnx", "savedmodel", "tflite"], {}),
        ("all", (), "auto", ["onnx", "savedmodel", "tflite"], {}),
        ("onnx", (), None, ["onnx"], dict.fromkeys(("savedmodel", "tflite"), "other targets were asked for")),
        (["all"], ["tflite"], None, ["onnx", "savedmodel"], {"tflite": "tflite is to be skipped"}),
        (["onnx", "tflite"], ["tflite", "stablehlo"], None, ["onnx"],
         {"savedmodel": "other targets were asked for", "tflite": "tflite is to be skipped"}),
        ("all", ["savedmodel"], "openvino", ["onnx", "tflite"], {"savedmodel": "savedmodel is to be skipped"}),
        (["onnx", "tflite"], (), "openvino", ["onnx", "tflite"], {"savedmodel": "other targets were asked for"}),
    ],
)  # fmt: skip
def test_every_artifact_is_checked_or_named_with_the_reason(
    targets: Any, skip: Any, runtime: str | None, checked: list[str], reasons: dict[str, str]
) -> None:
    whole = bundle("onnx", "savedmodel", "tflite")
    chosen = choose_artifacts(whole, targets, skip, runtime)
    assert [artifact.target for artifact in chosen] == checked
    left = skipped_artifacts(whole, chosen, skip)
    assert {each.target: each.reason for each in left} == reasons


@pytest.mark.parametrize(
    ("targets", "skip", "runtime", "told"),
    [
        ("tflite", (), None, "without one of tflite"),
        (["onnx", "tflite"], (), None, "one without tflite"),
        ("all", ["onnx", "savedmodel"], None, "nothing but onnx, savedmodel, which is to be skipped"),
        ("savedmodel", (), "openvino", "that OpenVINO reads"),
        ("all", (), "openvino",
         "OpenVINO must read every .* received savedmodel/model; fix: --targets onnx, or --skip savedmodel$"),
        (["onnx", "savedmodel"], (), "openvino", "OpenVINO must read every .* received savedmodel/model"),
    ],
)  # fmt: skip
def test_what_was_asked_for_and_cannot_be_checked_is_an_error(
    targets: Any, skip: Any, runtime: str | None, told: str
) -> None:
    with pytest.raises(BundleError, match=told):
        choose_artifacts(bundle("onnx", "savedmodel"), targets, skip, runtime)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean tflite"):
        choose_artifacts(bundle("onnx"), "all", ["tflit"])
