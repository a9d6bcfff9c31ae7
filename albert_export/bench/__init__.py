"""Measuring bundles side by side: latency, load time, memory, file size, and the error to the float64 oracle.

Nothing is imported here: the processes that are measured import from this folder, and hold nothing but what they run.
"""
