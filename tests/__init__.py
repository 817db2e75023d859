"""A package, so that none of this name that something else installed is taken for it."""
