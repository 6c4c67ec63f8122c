"""Benchmarks tool-calling language models under pytest and gates their release."""
