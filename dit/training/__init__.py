"""Training of the motion network.

config -> statistics, sequences -> windows -> stream -> losses, loop -> state, validation
"""
