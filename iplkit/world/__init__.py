"""The portrait world: procedural faces with known truth, in one photo domain and thirteen target domains."""
