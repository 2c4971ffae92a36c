"""Files and batches that providers keep, in OpenAI's form whoever keeps them. Pure."""
