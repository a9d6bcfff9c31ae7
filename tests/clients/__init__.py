"""Programs that nobody here wrote run the bundles: each in an environment of its own, held to the answers of ours.

``make test-clients`` runs them, and `make test` does not: they are installed from their registries. What was run, and
with which versions: docs/clients.md.
"""
