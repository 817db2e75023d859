"""Passes that make the programs of both inference runs."""
