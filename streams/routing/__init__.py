"""Which provider answers, and what happens when it does not: rules, strategies, health, retries."""
