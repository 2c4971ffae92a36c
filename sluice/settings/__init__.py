"""All settings: one table, three places where they may stand, one way to be wrong."""

from sluice.settings.loading import Settings, SettingsError, load, near_misses

__all__ = ["Settings", "SettingsError", "load", "near_misses"]
