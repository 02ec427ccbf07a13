"""The commands of ``cylinder-codes``, one module each; ``cli`` puts them together."""
