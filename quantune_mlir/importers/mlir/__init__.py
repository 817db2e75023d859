"""MLIR in: modules of this project, and TOSA of other makers."""

from quantune_mlir.importers.mlir.importer import import_mlir

__all__ = ["import_mlir"]
