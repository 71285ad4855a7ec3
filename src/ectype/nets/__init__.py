"""Plain networks: no losses, no files, no loops."""
