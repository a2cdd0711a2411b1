"""Scores that only a world with truth allows: what an adapted generator reached, kept and lost, person by person."""
