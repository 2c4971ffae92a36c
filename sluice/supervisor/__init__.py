"""`sluice serve`: every role as a child process, started in order, restarted, stopped in order."""
