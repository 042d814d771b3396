"""What a session hears: one timeline of voice, whatever brought it."""
