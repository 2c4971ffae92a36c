"""The vocabulary: what crosses a folder or a topic. Imports nothing of ours."""
