"""Measurements of time and memory; each module is a program, run from the repository's root. See ``README.md``."""
