"""The commands of `cylinder-trace`, a module each."""
