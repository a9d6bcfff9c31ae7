"""Weights in and out: where checkpoints are found, what their weights are called, how files are read and written."""

from albert_export.checkpoints.checkpoint import Checkpoint, Source, WeightFormat
from albert_export.checkpoints.finite import check_finite
from albert_export.checkpoints.google_release import find_vocabularies
from albert_export.checkpoints.h5_file import read_h5
from albert_export.checkpoints.h5_writing import write_h5
from albert_export.checkpoints.matching import Matching, check_shapes, match_names
from albert_export.checkpoints.msgpack_file import read_msgpack
from albert_export.checkpoints.msgpack_writing import write_msgpack
from albert_export.checkpoints.names import parameters, tied_names
from albert_export.checkpoints.opening import find_config_file, find_tokenizer_directory, open_checkpoint
from albert_export.checkpoints.writing import write_safetensors, write_sharded, write_torch_bin

__all__ = [
    "Checkpoint",
    "Matching",
    "Source",
    "WeightFormat",
    "check_finite",
    "check_shapes",
    "find_config_file",
    "find_tokenizer_directory",
    "find_vocabularies",
    "match_names",
    "open_checkpoint",
    "parameters",
    "read_h5",
    "read_msgpack",
    "tied_names",
    "write_h5",
    "write_msgpack",
    "write_safetensors",
    "write_sharded",
    "write_torch_bin",
]
