"""From prompts and seeds to images, in shards."""
