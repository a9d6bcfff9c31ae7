"""``make test-gpu``: everything that needs a GPU to be known, on whatever of it this machine has.

Heads and precisions are exported, run and compared with the eager model on the GPU, then what runs them is timed side
by side against the measured peak of matrix products. What is not there is skipped, and told with the reason.
"""
