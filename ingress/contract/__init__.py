"""What the gateway says of itself: OpenAPI of its HTTP, AsyncAPI of its topics, both made from the code."""
