"""The thesis table cell by cell: which runs there are, running them, and what many seeds say together."""
