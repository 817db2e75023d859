"""The int8 form of one unit: fp32 TOSA op and quantized operands in, integer TOSA out."""
