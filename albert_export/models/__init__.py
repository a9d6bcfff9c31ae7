"""Eager reference models: one file a framework."""
