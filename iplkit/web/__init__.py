"""The shipped generator in a reader's browser: graphs, files and controls of the live page."""
