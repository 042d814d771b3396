"""Pictures and videos on their way to the networks and back: faces, crops, paste-back, files."""
