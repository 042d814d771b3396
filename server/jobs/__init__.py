"""Work for minutes: one job at a time, in a process that gives way to live sessions."""
