"""Compile and run through IREE."""
