"""One training loop for every objective: steps, checkpoints, history, averages, rates, devices."""
