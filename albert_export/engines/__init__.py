"""What is true of TensorRT engines, and can be told without TensorRT and without a GPU.

Profiles and how they are written (``profiles.py``), what an engine is built with (``options.py``), which operators the
releases of TensorRT read (``support.py``), and where an engine runs (``facts.py``). No module here imports a framework.
"""
