"""What kernels know of instruction sets: one module each, one table of all."""
