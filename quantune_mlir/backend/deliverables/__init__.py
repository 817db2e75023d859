"""What a network leaves the compiler as besides a .vmfb: a static library, and a C bundle around it."""
