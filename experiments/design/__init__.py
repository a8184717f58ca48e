"""What a study compares and what it will run: its file, grid, search for learning rates, plan and costs."""
