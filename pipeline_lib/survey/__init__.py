"""The blind survey: whether a person tells real tiles from synthetic images."""
