"""A session's stream to where presenters need it: pushed over RTMP or SRT by FFmpeg."""
