"""Controls that would stand in a page and do nothing: widgets without the program behind them."""

import re
from collections.abc import Iterator, Mapping

WIDGET = "application/vnd.jupyter.widget-view+json"
OURS = ('<div class="filmstrip"', '<div class="live"')  # their scripts are part of the page
CONTROL = re.compile(r"<(?:input|select|textarea|button)\b", re.IGNORECASE)


def kernel_only(notebook: Mapping) -> list[str]:
    """Ids of the cells of an executed notebook whose output holds a control that needs a kernel."""
    return list(dict.fromkeys(_cells(notebook)))


def _cells(notebook: Mapping) -> Iterator[str]:
    for number, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = "".join(data.get("text/html", ""))
            if WIDGET in data or (CONTROL.search(text) and not text.startswith(OURS)):
                yield cell.get("id", str(number))
