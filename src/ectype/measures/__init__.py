"""How good samples are: feature spaces and the figures computed in them."""
