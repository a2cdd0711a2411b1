"""The bars that the world and its models must clear, one room a kind; `iplkit zoo check` measures them all."""
