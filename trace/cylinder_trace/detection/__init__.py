"""Detection over time (线索发现): what no single entry shows, found in histories. Signals, never accusations."""
