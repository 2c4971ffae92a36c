"""The official SDKs for Node as clients of the gateway."""
