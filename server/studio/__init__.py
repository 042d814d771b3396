"""The studio: a Gradio page at /studio that makes videos from portraits, voices and clips."""
