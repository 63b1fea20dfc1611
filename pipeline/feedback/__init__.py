"""What readers decided about served cases: recorded, reported, and turned into data."""
