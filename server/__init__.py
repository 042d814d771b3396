"""The application: voice in, synchronised sound and picture out over WebRTC."""
