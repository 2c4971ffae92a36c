"""The program: CLI, settings, telemetry, supervisor, the embedded broker, the simulated provider."""
