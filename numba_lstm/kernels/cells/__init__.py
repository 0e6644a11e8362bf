"""The cells: each file is one, its gates forward and backward and nothing else."""
