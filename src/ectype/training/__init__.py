"""How it is learned: one trainer for every family and every kind of data."""
