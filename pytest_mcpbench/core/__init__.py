"""The pure part: cases, wire formats, scoring, statistics, gates and results, without pytest and without models."""
