"""GoModel's own end-to-end scenarios, asked of the real product."""
