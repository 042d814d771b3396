"""``python -m server bench``: real WebRTC peers measure a server from their side."""
