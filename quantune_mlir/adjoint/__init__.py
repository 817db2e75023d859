"""One sweep back through the fp32 run: how much of each layer's error reaches the output."""
