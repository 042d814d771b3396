"""Sessions: the media clock, its events, and who may have one."""
