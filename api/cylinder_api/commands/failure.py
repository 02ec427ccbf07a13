"""How a command fails."""


class CannotDo(Exception):
    """The command could not do its work; the message is one sentence: what, where, what to do next."""
