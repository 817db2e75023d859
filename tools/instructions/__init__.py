"""How many instructions networks take on other CPUs, counted in qemu."""
