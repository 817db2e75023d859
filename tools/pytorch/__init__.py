"""PyTorch's networks, exported where PyTorch is and imported where this project is: a table of what is imported."""
