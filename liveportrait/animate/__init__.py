"""The driving-video tool: a picture or video moved by a video, a picture or a template."""
