from __future__ import annotations

from albert_export import AlbertConfig
from albert_export.graphs.emitted import described
from albert_export.tasks import get_task

CONFIG = AlbertConfig(num_labels=3)


def test_a_fixed_axis_is_a_number_and_a_dynamic_one_a_name():
    task = get_task("multiple-choice")
    sizes = {"batch": None, "choices": 2, "sequence": None}
    assert described(task.inputs[0], CONFIG, sizes, "int32") == {
        "name": "input_ids",
        "dtype": "int32",
        "shape": ["batch", 2, "sequence"],
    }
    assert described(task.inputs[0], CONFIG, sizes)["dtype"] == task.inputs[0].dtype != "int32"


def test_an_axis_of_the_model_has_the_configuration_s_size():
    task = get_task("text-classification")
    assert described(task.outputs[0], CONFIG, {"batch": None, "sequence": 7})["shape"] == ["batch", 3]
