"""Passes that fold and move fp32 TOSA."""
