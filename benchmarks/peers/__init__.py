"""Candidates of `equal_time_images`, each a program of its own that follows `protocol`."""
