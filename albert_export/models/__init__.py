"""Eager reference models; ``torch_albert`` holds the seven of PyTorch, the files beside it what they share."""
