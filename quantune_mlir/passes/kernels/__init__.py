"""Passes from TOSA to our kernels."""
