"""How kernels are written: vectors, buffers, epilogues."""
