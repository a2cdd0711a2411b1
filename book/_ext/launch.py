"""Where the notebooks can be opened: the repository's address, for the buttons of each page and for Colab's first lines.

The address stands in ``_config.yml``. In GitHub Actions it is that of the repository that builds, so a fork's own
pages point at the fork.
"""

import os

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective


def use_own_address(app: Sphinx, config: Config) -> None:
    """Take the address from the workflow that builds, if one does."""
    server, name = (os.environ.get(key, "") for key in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"))
    if server and name:
        config.html_theme_options["repository_url"] = f"{server}/{name}"


class ColabSetup(SphinxDirective):
    """``{colab-setup}``: the lines that a notebook needs as its first cell where nothing is installed."""

    def run(self) -> list[nodes.Node]:
        """The lines, with the repository's address and the name of the folder that it makes."""
        url = self.config.html_theme_options["repository_url"].rstrip("/")
        text = f"!git clone --depth 1 {url}\n%pip install -q -e {url.rsplit('/', 1)[-1]}"
        return [nodes.literal_block(text, text, language="none")]


def setup(app: Sphinx) -> dict:
    """Register both."""
    app.connect("config-inited", use_own_address)
    app.add_directive("colab-setup", ColabSetup)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
