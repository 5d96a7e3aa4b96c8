"""What is typed: each command's arguments, options and help; nothing heavy is imported before one is called."""
