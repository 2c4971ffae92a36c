"""Google Gemini's generateContent: https://ai.google.dev/api/generate-content."""
