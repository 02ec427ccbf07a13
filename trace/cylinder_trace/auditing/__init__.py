"""The pieces of the audit: a second implementation on purpose, sharing no line with what wrote the ledger."""
