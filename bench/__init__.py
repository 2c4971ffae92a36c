"""What the gateway costs, measured (README.md)."""

from sluice.settings.sources import share_the_cores

share_the_cores()  # before numpy is loaded
