"""The real-time edge: connections, tracks, the pacing clock, microphones."""
