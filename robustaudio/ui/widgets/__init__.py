"""What the tabs are made of: the player, a search while it runs, an attack's options, the upload."""
