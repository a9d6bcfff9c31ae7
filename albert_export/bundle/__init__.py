"""The bundle: a directory with everything one task of one checkpoint needs to run, and the manifest that pins it."""

from albert_export.bundle.bundle import Bundle
from albert_export.bundle.manifest import SCHEMA_VERSION, Artifact, FileRecord, Manifest
from albert_export.bundle.writer import BundleWriter

__all__ = ["SCHEMA_VERSION", "Artifact", "Bundle", "BundleWriter", "FileRecord", "Manifest"]
