"""What diffusers' training script takes of torchvision, for machines that do not have it."""
