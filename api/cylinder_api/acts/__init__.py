"""What a route does with the ledger: plain functions over a unit of work, without HTTP."""
