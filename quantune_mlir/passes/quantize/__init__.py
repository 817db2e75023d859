"""Passes from a profile and a plan to mixed TOSA."""
