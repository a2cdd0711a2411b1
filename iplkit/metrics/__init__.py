"""Numbers about sets of images, computed from features and never from pixels."""
