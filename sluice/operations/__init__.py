"""What an operator does with the log: dead letters, replays, requests, a tail. The commands are in `sluice/cli/`."""
