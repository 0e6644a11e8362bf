"""Compiled kernels. They get arrays and write arrays, and keep nothing between calls."""
