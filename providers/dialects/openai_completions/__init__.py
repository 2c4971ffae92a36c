"""OpenAI's legacy completions: https://platform.openai.com/docs/api-reference/completions."""
