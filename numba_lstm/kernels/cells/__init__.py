"""The cells. Each file holds the gates of one, forward and backward, and nothing else."""
