"""Which model to use: candidates of both families under one budget, ranked on held-out data."""
