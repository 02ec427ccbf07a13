"""The words of the ledger: one frozen class per event, grouped by theme; ``events`` joins them into one union."""
