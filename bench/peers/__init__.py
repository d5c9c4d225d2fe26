"""Other programs that the bench measures beside ours, installed when they are asked for."""
