"""Weights in and out: where checkpoints are found, what their weights are called, how files are read and written."""

from albert_export.checkpoints.checkpoint import Checkpoint, Source
from albert_export.checkpoints.matching import Matching, check_shapes, match_names
from albert_export.checkpoints.names import parameters, tied_names
from albert_export.checkpoints.opening import find_config_file, find_tokenizer_directory, open_checkpoint
from albert_export.checkpoints.writing import write_safetensors, write_sharded, write_torch_bin

__all__ = [
    "Checkpoint",
    "Matching",
    "Source",
    "check_shapes",
    "find_config_file",
    "find_tokenizer_directory",
    "match_names",
    "open_checkpoint",
    "parameters",
    "tied_names",
    "write_safetensors",
    "write_sharded",
    "write_torch_bin",
]
