"""What tabs are made of: the player, a running search, an attack's options, the upload."""
