"""The sample detector of `make demo`: its canvases, its training, and what is found with it."""
