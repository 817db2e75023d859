"""The network that a module is: units, layers, tensors, epilogues, and what stands between them."""
