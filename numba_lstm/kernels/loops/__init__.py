"""The time loops of all cells: how threads share them, and what a step runs."""
