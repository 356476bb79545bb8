"""`make demo`: Noonday releases a web shop at noon, on real parts, under load."""
