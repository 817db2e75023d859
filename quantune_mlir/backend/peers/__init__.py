"""Other engines that run the same model, to measure ours against. One peer a file; each is an optional install."""
