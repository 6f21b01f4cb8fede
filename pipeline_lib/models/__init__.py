"""Base models: registry, fetching, loading, and building the embedded one."""
