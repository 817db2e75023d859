"""How work is cut into tiles and workgroups."""
