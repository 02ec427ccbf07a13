"""Persistence of the ledger, an optional extra: SQLite and PostgreSQL."""
