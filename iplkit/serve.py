"""Show the built book in a browser, from this machine only."""

import http.server
import webbrowser
from functools import partial

import click

from iplkit.errors import UserError
from iplkit.stage import first_page


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and does not log each request."""

    def log_message(self, *args) -> None:
        """Say nothing."""


def serve(port: int, open_browser: bool) -> None:
    """Serve the book on the loopback address until interrupted.

    Raises:
        UserError: if there is no book yet, or the port is taken.
    """
    folder = first_page().parent
    if not first_page().is_file():
        raise UserError("there is no built book yet; make it with: make thesis")
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(Quiet, directory=str(folder)))
    except OSError as error:
        raise UserError(f"port {port} needs to be free; it is not ({error.strerror}), so choose another with --port") from error
    with server:
        address = f"http://127.0.0.1:{server.server_port}/"
        click.echo(f"The book is at {address} (Ctrl-C stops).")
        if open_browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("Stopped.")
