"""Studies of W, W+ and S whose numbers the book prints; `run` carries them out and keeps them."""
