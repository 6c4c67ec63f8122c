"""Training rows made from pools of phrasings and values, the same ones for the same seed."""
