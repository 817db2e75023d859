"""ONNX Runtime's own operators (domain com.microsoft), written out in ONNX's: what its optimizers make of networks."""
