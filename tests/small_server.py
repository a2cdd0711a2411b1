"""A server of files on this machine that can be told to misbehave."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves ``files`` (path -> bytes).

    Args of a path can be changed: ``cut`` (bytes after which the line breaks, once each), ``status``, ``types``, ``plain`` (no ranges).
    """

    def __init__(self):
        self.files, self.cut, self.status, self.types, self.plain, self.seen = {}, {}, {}, {}, set(), []
        self.version = '"one"'
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802 -- the name is the library's
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.block_on_close = False
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"

    def answer(self, request):
        path, asked = request.path, request.headers.get("Range")
        self.seen.append((path, asked))
        if path in self.status or path not in self.files:
            request.send_error(self.status.get(path, 404))
            return
        content, start = self.files[path], 0
        if asked and path not in self.plain and request.headers.get("If-Range") == self.version:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                request.send_error(416)
                return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.send_header("Content-Type", self.types.get(path, "application/octet-stream"))
        request.send_header("ETag", self.version)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        limit = self.cut.pop(path, None)
        request.wfile.write(content[start : start + limit if limit else None])
        if limit:
            request.wfile.flush()
            request.connection.close()

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()
