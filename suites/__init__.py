"""The benchmark, as tests that pytest collects."""
