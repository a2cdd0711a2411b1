"""The domains, one file each: how a portrait is bent (`Tweaks`) and painted."""
