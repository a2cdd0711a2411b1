"""The thesis table cell by cell: which runs there are, running them, and what many seeds say together."""

from iplkit.sweep.cells import Cell, cell_folder, read_cells
from iplkit.sweep.plans import PLANS, plan

__all__ = ["PLANS", "Cell", "cell_folder", "plan", "read_cells"]
