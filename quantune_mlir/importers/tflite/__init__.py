"""TensorFlow Lite (LiteRT) to TOSA, through Arm's converter."""

from quantune_mlir.importers.tflite.importer import import_tflite

__all__ = ["import_tflite"]
