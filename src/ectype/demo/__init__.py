"""The whole path on real data that comes with a package, as a newcomer would walk it.

A kind of data is a module with a `BUDGET`, a `SHOWN` and a function `write(folder)`, see `walk`.
"""
