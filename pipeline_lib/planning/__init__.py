"""What a study will cost before it runs: jobs, hours, memory, disk, and whether the queues fit."""
