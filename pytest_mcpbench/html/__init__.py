"""One run as one HTML file that a person reads."""
