"""What `iplkit verify` looks at, one kind of disagreement a file."""
