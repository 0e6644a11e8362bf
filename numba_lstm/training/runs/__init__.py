"""Trainings that are kept in a folder: what it holds, how one begins, and how it goes on."""
