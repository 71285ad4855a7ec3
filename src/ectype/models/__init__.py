"""What is learned: the games that networks play."""
