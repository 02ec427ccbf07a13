"""The world's words for what happens to a thing: EPCIS 2.0 and CBV 2.0 of GS1, as values and nothing else."""
