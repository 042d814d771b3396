"""Who is person and who is background in a photograph, and putting another background there."""
