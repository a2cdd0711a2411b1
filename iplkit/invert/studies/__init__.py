"""Experiments on inversion: each question one file, each answer a table with its n and its intervals."""
