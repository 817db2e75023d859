"""ONNX operators, one family a file."""
