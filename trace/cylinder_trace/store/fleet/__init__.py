"""The fleet as lists and monthly figures: a read model that follows the log, beside the append path."""
