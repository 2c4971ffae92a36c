"""Where vectors of questions come from: a provider, or a model on this machine."""
