"""What a network costs and is worth: accuracy, bytes, memory."""
