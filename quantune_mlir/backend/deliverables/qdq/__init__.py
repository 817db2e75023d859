"""A plan as an ONNX model of QuantizeLinear and DequantizeLinear nodes, made of the user's own graph."""
