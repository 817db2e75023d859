"""Files in, fp32 TOSA out."""
