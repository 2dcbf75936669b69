"""What an adversary may do (threat models) and wants (criteria), and noise that does not look."""
