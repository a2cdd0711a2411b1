"""Measurements behind the chapter on text edits, kept as committed numbers."""
