"""Our dialects in Python: the bindings look here for a module of a dialect's name."""
