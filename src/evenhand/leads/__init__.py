"""Scores become leads that people review and account for."""
