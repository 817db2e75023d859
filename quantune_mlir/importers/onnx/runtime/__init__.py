"""Operators of other domains, ONNX Runtime's own and some of ai.onnx.ml, written out in ONNX's."""
