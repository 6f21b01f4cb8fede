"""Fine-tuning a text-to-image model on a few images of a subject (DreamBooth)."""
