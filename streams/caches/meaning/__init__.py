"""The semantic cache at work: looks questions up, keeps answers, compares them, and remembers what it
learnt. How it decides is in `streams/caches/semantic/`."""
