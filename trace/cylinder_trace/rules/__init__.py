"""The rules, one function per refusal, grouped as an inspector thinks."""
