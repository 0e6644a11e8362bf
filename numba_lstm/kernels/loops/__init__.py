"""The time loops of all cells: schedules, teams, steps."""
